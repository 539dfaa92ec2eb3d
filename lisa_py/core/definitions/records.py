"""Read definitions from the documents of a file, in every shape in which such records are written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext, session_settings
from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.definitions.yaml_documents import YamlDocument, make_error

HIVE = "ai_agent"
_CREDENTIAL_FIELDS = ("anthropic_secret", "bedrock", "vertex")
_DROPPED_FIELDS = ("lc_api_key_secret", "lc_uid_secret")
"""Keys of the hosted service; nothing here takes them."""
_TEXT_MAPS = ("environment", "credentials")
_BEDROCK = {
    "region": "region",
    "access_key_id_secret": "access_key_id",
    "secret_access_key_secret": "secret_access_key",
    "session_token_secret": "session_token",
    "bearer_token_secret": "bearer_token",
}
_VERTEX = {
    "project_id": "project_id",
    "region": "region",
    "service_account_json_secret": "service_account_json",
}


class OwnFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of a definition that are not settings of a session."""

    prompt: str = ""
    data: dict[str, str] = {}
    """Name -> path into the event, or a template."""
    debounce_key: str = ""
    mode: str = ""
    agent_args: str = ""
    description: str = ""


KNOWN_FIELDS = frozenset(
    (*session_settings.FIELD_NAMES, *OwnFields.__struct_fields__, *_CREDENTIAL_FIELDS, *_DROPPED_FIELDS)
)


class Definition(Struct, frozen=True, kw_only=True):
    """One definition; references in its settings are not resolved."""

    name: str
    path: str
    line: int = 0
    scope: str = ""
    """project or user."""
    kind: str = "record"
    """record, or the agent whose own file it is."""
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)
    own: OwnFields = OwnFields()
    enabled: bool | UnsetType = UNSET
    tags: tuple[str, ...] = ()
    comment: str = ""
    expiry: int = 0
    fields: dict[str, Any] = {}
    """The fields of a record as they are written."""
    unknown: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()


class UserMetadata(Struct, frozen=True, kw_only=True):
    """`usr_mtd` of a record, as far as it is shown."""

    enabled: bool | UnsetType = UNSET
    tags: tuple[str, ...] | None = ()
    comment: str | None = ""
    expiry: int | None = 0


def list_includes(document: YamlDocument) -> tuple[str, ...]:
    """Return the paths of `include`. Raise LisaError(invalid_definition)."""
    value = document.value.get("include") if isinstance(document.value, dict) else None
    if value is None:
        return ()
    paths = (value,) if isinstance(value, str) else value
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str) and path for path in paths):
        raise make_error(document.locate("include"), "include is not a list of paths")
    return tuple(paths)


def read_records(document: YamlDocument) -> Iterator[Definition]:
    """Yield the definitions of a document. Raise LisaError with file, line and column."""
    value = document.value
    if value is None:
        return
    if not isinstance(value, dict):
        raise make_error(document.locate(), "a definition is a map of fields")
    stem = os.path.splitext(os.path.basename(document.path))[0]
    if "hives" in value:
        hives = value["hives"]
        if not isinstance(hives, dict):
            raise make_error(document.locate("hives"), "hives is not a map")
        yield from _read_map(document, hives.get(HIVE), ("hives", HIVE))
    if HIVE in value:
        yield from _read_map(document, value[HIVE], (HIVE,))
    if _is_record(value):
        yield _read_record(document, stem, value, ())
    elif not {"hives", HIVE, "include", "version"} & value.keys():
        raise make_error(document.locate(), "neither a definition nor a map of them (a definition has a prompt)")


def _is_record(value: Mapping[str, Any]) -> bool:
    return _is_envelope(value) or bool(value.keys() & (KNOWN_FIELDS - {"data"}))


def _is_envelope(value: Mapping[str, Any]) -> bool:
    """Return True for `{data, usr_mtd}`; the field `data` of a bare record is a map beside others."""
    return "data" in value and not value.keys() & (KNOWN_FIELDS - {"data"})


def _read_map(document: YamlDocument, records: Any, keys: tuple[str, ...]) -> Iterator[Definition]:
    if records is None:
        return
    if not isinstance(records, dict):
        raise make_error(document.locate(*keys), f"{'.'.join(keys)} is not a map of records")
    for name, record in records.items():
        if not isinstance(name, str) or not name:
            raise make_error(document.locate(*keys), f"the name of a record is not a text: {name}")
        if not isinstance(record, dict):
            raise make_error(document.locate(*keys, name), f"the record {name} is not a map of fields")
        yield _read_record(document, name, record, (*keys, name))


def _read_record(document: YamlDocument, name: str, record: dict[str, Any], keys: tuple[str, ...]) -> Definition:
    metadata, fields = UserMetadata(), record
    if _is_envelope(record):
        fields, metadata = record["data"], _read_metadata(document, record, keys)
        keys = (*keys, "data")
        if isinstance(fields, str):
            fields = _parse_json(document, fields, keys)
        if not isinstance(fields, dict):
            raise make_error(document.locate(*keys), "data is not a map of fields")
    place = document.locate(*keys)
    unknown = {str(key): _make_plain(value) for key, value in fields.items() if key not in KNOWN_FIELDS}
    warnings = [f"unknown field: {key}" for key in unknown]
    if metadata.enabled is False:
        warnings.append("the record is not enabled (usr_mtd.enabled)")
    return Definition(
        name=name,
        path=document.path,
        line=place.line,
        settings=_read_settings(document, fields, keys),
        own=_read_own_fields(document, fields, keys),
        enabled=metadata.enabled,
        tags=metadata.tags or (),
        comment=metadata.comment or "",
        expiry=metadata.expiry or 0,
        fields=_make_plain(fields),
        unknown=unknown,
        warnings=tuple(warnings),
    )


def _make_plain(value: Any) -> Any:
    """Return a value that JSON can show: keys and unusual types as texts."""
    if isinstance(value, dict):
        return {str(key): _make_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_make_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _parse_json(document: YamlDocument, text: str, keys: tuple[str, ...]) -> Any:
    try:
        return jsontext.decode(text, dict[str, Any])
    except msgspec.DecodeError as problem:
        raise make_error(document.locate(*keys), f"data is not a JSON object: {problem}") from None


def _read_metadata(document: YamlDocument, record: dict[str, Any], keys: tuple[str, ...]) -> UserMetadata:
    try:
        return msgspec.convert(record.get("usr_mtd") or {}, UserMetadata)
    except msgspec.ValidationError as problem:
        raise make_error(document.locate(*keys, "usr_mtd"), f"usr_mtd: {_describe(problem)}") from None


def _read_own_fields(document: YamlDocument, fields: dict[str, Any], keys: tuple[str, ...]) -> OwnFields:
    found = {}
    for field in OwnFields.__struct_fields__:
        if fields.get(field) is not None:
            found[field] = getattr(_convert(document, field, fields[field], OwnFields, keys), field)
    return OwnFields(**found)


def _read_settings(document: YamlDocument, fields: dict[str, Any], keys: tuple[str, ...]) -> SessionSettings:
    """Return the settings. Raise LisaError(invalid_definition, or a code of session_settings.check)."""
    found: dict[str, Any] = {}
    for field in session_settings.FIELD_NAMES:
        value = fields.get(field)
        if value is None:
            continue
        if field in _TEXT_MAPS and isinstance(value, dict):
            value = {**value, **document.read_scalars(*keys, field)}
        found[field] = getattr(_convert(document, field, value, SessionSettings, keys), field)
    if not found.get("credentials"):
        found.update(_read_credentials(document, fields, keys))
    settings = SessionSettings(**found)
    try:
        session_settings.check(settings)
    except LisaError as problem:
        place = document.locate(*keys, str(problem.details.get("field", "")))
        raise make_error(place, problem.message, problem.code) from None
    return settings


def _read_credentials(document: YamlDocument, fields: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the credentials of a record that names them by one of the older fields."""
    key = fields.get("anthropic_secret")
    if key:
        if not isinstance(key, str):
            raise make_error(document.locate(*keys, "anthropic_secret"), "anthropic_secret is not a text")
        return {"credentials": {"anthropic_key": key}}
    for kind, names in (("bedrock", _BEDROCK), ("vertex", _VERTEX)):
        block = fields.get(kind)
        if not block:
            continue
        if not isinstance(block, dict) or not all(isinstance(value, str) for value in block.values()):
            raise make_error(document.locate(*keys, kind), f"{kind} is not a map of texts")
        found = {short: block[name] for name, short in names.items() if block.get(name)}
        provider = {} if fields.get("provider") else {"provider": "anthropic"}
        return {"credentials": {"auth": kind, **found}, **provider}
    return {}


def _convert(document: YamlDocument, field: str, value: Any, kind: type[Any], keys: tuple[str, ...]) -> Any:
    try:
        return msgspec.convert({field: value}, kind)
    except msgspec.ValidationError as problem:
        raise make_error(document.locate(*keys, field), f"{field}: {_describe(problem)}") from None


def _describe(problem: msgspec.ValidationError) -> str:
    return str(problem).partition(" - at ")[0].replace("`", "")
