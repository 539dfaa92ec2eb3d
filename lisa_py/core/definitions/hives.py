"""The config store of the sessions API: hives of records over definitions, secrets and plain records."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract import digests, schema
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.hive import (
    CostModelData,
    HivePage,
    HiveRecord,
    MemoryData,
    RecordHistory,
    RecordMetadata,
    SecretData,
    SkillData,
    TextData,
    WrittenRecord,
)
from lisa_py.contract.session_settings import HIDDEN_VALUE, PLAIN_CREDENTIALS, SessionSettings, is_reference
from lisa_py.core.context import Context
from lisa_py.core.definitions import definition_files, library, records
from lisa_py.core.definitions.records import Definition, OwnFields
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339, parse_time
from lisa_py.store import hive_records, live_records, secrets
from lisa_py.store.hive_records import PlainRecord
from lisa_py.store.paths import Project
from lisa_py.store.secrets import Secret

SECRET = "secret"
SHAPES: Mapping[str, type[Struct]] = {
    SECRET: SecretData,
    "ai_cost_model": CostModelData,
    "ai_memory": MemoryData,
    "ai_skill": SkillData,
    "org_notes": TextData,
    "sop": TextData,
}
HIVES = (records.HIVE, *SHAPES)
_SECRET_MAPS = ("environment", "credentials", "bedrock", "vertex", "headers", "env")
PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
MAX_NAME = 256
RECORD_BYTES = 10 << 20
"""Size of a record of a hive that is made for files."""
_LARGE_HIVES = ("ai_memory", "ai_skill")
_SMALL_RECORD_BYTES = 1 << 20


class PageRequest(Struct, frozen=True, kw_only=True):
    """A part of a hive."""

    limit: int = PAGE_SIZE
    cursor: str = ""
    tag_prefix: str = ""
    max_bytes: int = 0
    """0: no limit."""


class RecordChange(Struct, frozen=True, kw_only=True):
    """A write; what is not given stays."""

    data: dict[str, Any] | None = None
    metadata: RecordMetadata | None = None
    etag: str = ""
    """Empty: whatever the record is now."""


class Hive:
    """One hive of a project."""

    def __init__(self, ctx: Context, project: Project, name: str) -> None:
        """Raise LisaError(hive_not_found)."""
        if name not in HIVES:
            raise LisaError("hive_not_found", f"no hive named {name} on this machine (there are {', '.join(HIVES)})")
        self.name = name
        self._ctx = ctx
        self._project = project

    def list_records(self) -> dict[str, HiveRecord]:
        """Return all records by name, in their order."""
        found = self._read()
        return {name: self._describe(name, found[name]) for name in sorted(found)}

    def read_page(self, request: PageRequest) -> HivePage:
        """Return a page. Raise LisaError(invalid_cursor)."""
        last = _parse_cursor(request.cursor) if request.cursor else ""
        found = [
            (name, record)
            for name, record in self.list_records().items()
            if name > last and (not request.tag_prefix or _has_tag(record, request.tag_prefix))
        ]
        size, total = max(1, min(request.limit, MAX_PAGE_SIZE)), 0
        page: dict[str, HiveRecord] = {}
        for name, record in found[:size]:
            total += len(msgspec.json.encode(record))
            if page and request.max_bytes and total > request.max_bytes:
                break
            page[name] = record
        is_last = len(page) == len(found)
        return HivePage(records=page, next_cursor="" if is_last else _make_cursor(next(reversed(page))))

    def get(self, name: str) -> HiveRecord:
        """Return a record. Raise LisaError(record_not_found)."""
        found = self._read().get(name)
        if found is None:
            raise LisaError("record_not_found", f"{self.name} has no record named {name}")
        return self._describe(name, found)

    def check(self, name: str, data: dict[str, Any], metadata: RecordMetadata | None) -> None:
        """Refuse a record that is not valid.

        Raise UsageError(validation_failed), LisaError(invalid_definition | too_large).
        """
        limit = RECORD_BYTES if self.name in _LARGE_HIVES else _SMALL_RECORD_BYTES
        if len(msgspec.json.encode(data)) > limit:
            raise LisaError("too_large", f"a record of {self.name} has at most {limit} bytes")
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise UsageError(
                "validation_failed", f"the name of a record has 1 to {MAX_NAME} characters", fields=["key"]
            )
        if self.name == records.HIVE:
            definition_files.check_definition(name, data, _show(metadata))
            if not str(data.get("prompt") or "").strip():
                raise UsageError("validation_failed", "a definition has a prompt", fields=["data.prompt"])
            return
        try:
            found = msgspec.convert(data, SHAPES[self.name])
        except msgspec.ValidationError as problem:
            raise UsageError("validation_failed", f"invalid data: {problem}", fields=["data"]) from None
        empty = [field for field in ("secret", "text", "content") if not getattr(found, field, "x").strip()]
        if empty:
            raise UsageError("validation_failed", f"data.{empty[0]} is empty", fields=[f"data.{empty[0]}"])
        if self.name == SECRET:
            secrets.check_name(name)

    def write(self, name: str, change: RecordChange) -> WrittenRecord:
        """Write a record, or the metadata of one.

        Raise LisaError(record_not_found | etag_mismatch), and as `check` and the store of the hive do.
        """
        with hive_records.lock(self._project, self._ctx.settings, self.name):
            former = self._read().get(name)
            if former is None and change.data is None:
                raise LisaError("record_not_found", f"{self.name} has no record named {name}")
            self._check_etag(name, former, change.etag)
            data = self._merge(former, change.data)
            metadata = change.metadata or (former.metadata if former else None)
            self.check(name, data, metadata)
            self._save(name, data, metadata)
        written = self.get(name)
        return WrittenRecord(guid=written.sys_mtd.guid, name=name, etag=written.sys_mtd.etag)

    def remove(self, name: str) -> None:
        """Remove a record. Raise LisaError(record_not_found), and as the store of the hive does."""
        with hive_records.lock(self._project, self._ctx.settings, self.name):
            if name not in self._read():
                raise LisaError("record_not_found", f"{self.name} has no record named {name}")
            self._remove(name)

    def rename(self, name: str, new_name: str) -> WrittenRecord:
        """Give a record another name. Raise LisaError(record_not_found | record_exists), and as `write` does."""
        found = self._read()
        if name not in found:
            raise LisaError("record_not_found", f"{self.name} has no record named {name}")
        if new_name in found:
            raise LisaError("record_exists", f"{self.name} has a record named {new_name} already")
        written = self.write(new_name, RecordChange(data=found[name].data, metadata=found[name].metadata))
        self.remove(name)
        return written

    def describe_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the data of a record."""
        if self.name != records.HIVE:
            return _describe_struct(SHAPES[self.name])
        settings, own = _describe_struct(SessionSettings), _describe_struct(OwnFields)
        texts = {field: {"type": "string"} for field in ("anthropic_secret", "lc_api_key_secret", "lc_uid_secret")}
        blocks = {field: {"type": "object"} for field in ("bedrock", "vertex")}
        properties = {**settings["properties"], **own["properties"], **texts, **blocks}
        return {"type": "object", "properties": properties, "required": ["prompt"]}

    # -- records and their stores ---------------------------------------------------------------------------------

    def _describe(self, name: str, record: PlainRecord) -> HiveRecord:
        identity = live_records.name_id(live_records.project_id(self._project), f"{self.name}/{name}")
        return HiveRecord(
            data=record.data,
            usr_mtd=record.metadata or RecordMetadata(enabled=True),
            sys_mtd=RecordHistory(
                etag=_make_etag(record),
                created_at=int(record.created_at * 1000),
                guid=identity,
                last_mod=int(record.changed_at * 1000),
            ),
        )

    def _check_etag(self, name: str, former: PlainRecord | None, etag: str) -> None:
        """Raise LisaError(etag_mismatch)."""
        if etag and (former is None or _make_etag(former) != etag):
            raise LisaError("etag_mismatch", f"{name} has changed since it was read; read it again")

    def _merge(self, former: PlainRecord | None, data: dict[str, Any] | None) -> dict[str, Any]:
        """Return the data to write; memories are added to the former ones."""
        known = former.data if former else {}
        if data is None or self.name != "ai_memory":
            return known if data is None else data
        new, old = data.get("memories"), known.get("memories")
        if not isinstance(new, dict):
            return data
        merged = {**(old if isinstance(old, dict) else {}), **new}
        return {**data, "memories": {name: text for name, text in merged.items() if text is not None}}

    def _read(self) -> dict[str, PlainRecord]:
        if self.name == records.HIVE:
            found: dict[str, PlainRecord] = {}
            for each in library.load_library(self._ctx, self._project).definitions:
                found.setdefault(each.name, _read_definition(each))
            return found
        if self.name == SECRET:
            user = secrets.user_registry(self._ctx.settings).read().secrets
            own = secrets.project_registry(self._project).read().secrets
            return {name: _read_secret(each) for name, each in {**user, **own}.items()}
        return hive_records.registry(self._project, self.name).read().records

    def _save(self, name: str, data: dict[str, Any], metadata: RecordMetadata | None) -> None:
        ctx, project, now = self._ctx, self._project, self._ctx.clock.now()
        if self.name == records.HIVE:
            definition_files.write_definition(ctx, project, name, data, _show(metadata))
        elif self.name == SECRET:
            with secrets.project_registry(project).change(ctx.settings, now) as opened:
                former = opened.content.secrets.get(name)
                time = format_rfc3339(now)
                created = former.created_at if former else time
                opened.content.secrets[name] = Secret(
                    value=data["secret"], created_at=created, updated_at=time, metadata=metadata
                )
        else:
            with hive_records.registry(project, self.name).change(ctx.settings, now) as changed:
                known = changed.content.records.get(name)
                changed.content.records[name] = PlainRecord(
                    data=data, metadata=metadata, created_at=known.created_at if known else now, changed_at=now
                )

    def _remove(self, name: str) -> None:
        ctx, project, now = self._ctx, self._project, self._ctx.clock.now()
        if self.name == records.HIVE:
            definition_files.remove_definition(ctx, project, name)
        elif self.name == SECRET:
            for registry in (secrets.project_registry(project), secrets.user_registry(ctx.settings)):
                if name in registry.read().secrets:
                    with registry.change(ctx.settings, now) as opened:
                        opened.content.secrets.pop(name, None)
        else:
            with hive_records.registry(project, self.name).change(ctx.settings, now) as changed:
                changed.content.records.pop(name, None)


def _describe_struct(kind: type[Struct]) -> dict[str, Any]:
    _, named = schema.describe_type(kind)
    return named[kind.__name__]


def hide_values(record: HiveRecord) -> HiveRecord:
    """Return a definition without the values in it that may be secrets; references stay."""
    return msgspec.structs.replace(record, data=_hide(record.data))


def _hide(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _hide_field(key, value) for key, value in data.items()}


def _hide_field(key: str, value: Any) -> Any:
    if key.endswith("_secret"):
        return _hide_text(value)
    if not isinstance(value, dict):
        return value
    if key not in _SECRET_MAPS:
        return _hide(value)
    return {name: each if name in PLAIN_CREDENTIALS else _hide_text(each) for name, each in value.items()}


def _hide_text(value: Any) -> Any:
    return value if isinstance(value, str) and (not value or is_reference(value)) else HIDDEN_VALUE


def _read_definition(found: Definition) -> PlainRecord:
    at = files.modified_at(found.path)
    metadata = None
    if found.enabled is not UNSET or found.tags or found.comment or found.expiry:
        metadata = RecordMetadata(
            enabled=found.enabled is True, tags=found.tags, comment=found.comment, expiry=found.expiry
        )
    return PlainRecord(data=found.fields or _build_fields(found), metadata=metadata, created_at=at, changed_at=at)


def _build_fields(found: Definition) -> dict[str, Any]:
    """Return the fields of a definition that is no record."""
    own = {field: value for field in OwnFields.__struct_fields__ if (value := getattr(found.own, field))}
    settings: dict[str, Any] = msgspec.to_builtins(found.settings)
    return {**settings, **own}


def _read_secret(found: Secret) -> PlainRecord:
    return PlainRecord(
        data={"secret": found.value},
        metadata=found.metadata,
        created_at=parse_time(found.created_at) or 0.0,
        changed_at=parse_time(found.updated_at) or 0.0,
    )


def _show(metadata: RecordMetadata | None) -> dict[str, Any]:
    """Return metadata as a definition file has it."""
    if metadata is None:
        return {}
    found: dict[str, Any] = msgspec.to_builtins(metadata)
    return {key: value for key, value in found.items() if value or key == "enabled"}


def _make_etag(record: PlainRecord) -> str:
    return digests.sha256(msgspec.json.encode((record.data, record.metadata), order="deterministic")).hexdigest()[:32]


def _has_tag(record: HiveRecord, prefix: str) -> bool:
    return any(tag.startswith(prefix) for tag in record.usr_mtd.tags)


def _make_cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _parse_cursor(text: str) -> str:
    """Return the name of the last record of the former page. Raise LisaError(invalid_cursor)."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True).decode()
    except (binascii.Error, ValueError) as problem:
        raise LisaError("invalid_cursor", f"invalid cursor: {text} (expected the next_cursor of a page)") from problem
