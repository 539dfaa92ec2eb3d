"""JSON Schema of the answers of commands, derived from their structs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from lisa_py.contract.command import Command
from lisa_py.contract.errors import COMMON_ERRORS

Schema = dict[str, Any]
_FAILURE_KEYS: Mapping[str, Schema] = {
    "ok": {"type": "boolean", "description": "false in a failed answer"},
    "error": {"type": "string", "description": "description of the failure, for people"},
}
_POLICY: Schema = {"type": "string", "const": "diagnostic", "description": "stderr is diagnostics, never data"}


def answer_schema(command: Command) -> Schema:
    """Return the schema of the answer under --json."""
    return _add_failure_keys(_object_schema(command.answer))


def min_schema(command: Command) -> Schema | None:
    """Return the schema under --json-min; None if the command has none."""
    if command.min is None:
        return None
    if not callable(command.min):
        return _add_failure_keys(_subset_schema(_object_schema(command.answer), command.answer, command.min))
    kind = get_type_hints(command.min).get("return", Any)
    if _is_plain(kind):
        return _partial_schema(answer_schema(command))
    return _add_failure_keys(_object_schema(kind))


def _add_failure_keys(schema: Schema) -> Schema:
    """Return the schema with the keys that a failed answer has besides its errorCode."""
    for member in schema.get("anyOf", [schema]):
        properties = member["properties"]
        if "errorCode" in properties:
            member["properties"] = properties | {
                key: made for key, made in _FAILURE_KEYS.items() if key not in properties
            }
    return schema


def event_schema(command: Command) -> Schema | None:
    """Return the schema of the lines before the answer; None if the command does not stream."""
    if command.events is None:
        return None
    return _object_schema(command.events)


def failure_schema(command_errors: Iterable[str]) -> Schema:
    """Return the schema of the error object, with its possible codes."""
    codes = sorted({*COMMON_ERRORS, *command_errors})
    return {
        "type": "object",
        "properties": {
            "ok": {"const": False},
            "errorCode": {"type": "string", "enum": codes},
            "error": {"type": "string", "description": "description and remedy, for people"},
            "stderrPolicy": _POLICY,
        },
        "required": ["error", "errorCode", "ok", "stderrPolicy"],
    }


def list_keys(described: Schema) -> tuple[str, ...]:
    """Return the keys of an answer, `key?` for one that may be omitted; without those that every failure has."""
    found: dict[str, bool] = {}
    for member in described.get("anyOf", [described]):
        for key, value in member["properties"].items():
            if value not in (_POLICY, _FAILURE_KEYS.get(key)):
                found[key] = key in member.get("required", ()) and found.get(key, True)
    return tuple(key if always else f"{key}?" for key, always in found.items())


def _object_schema(kind: Any) -> Schema:
    """Return the schema of a type with its definition at the top level, where readers expect `properties`."""
    if _is_plain(kind):
        return {"type": "object", "properties": {"stderrPolicy": _POLICY}, "required": ["stderrPolicy"]}
    kinds = _union_members(kind)
    found, shared = _schema_components(kinds)
    members = [_complete_schema(schema, shared, made_from) for schema, made_from in zip(found, kinds, strict=True)]
    top: Schema = members[0] if len(members) == 1 else {"type": "object", "anyOf": members}
    used = _reachable(top, shared)
    if used:
        top["$defs"] = {name: shared[name] for name in sorted(used)}
    return top


def _is_plain(kind: Any) -> bool:
    return kind in (Any, None, dict) or get_origin(kind) is dict


def _schema_components(kinds: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    pieces = [describe_type(kind) for kind in kinds]
    return [own for own, _ in pieces], {name: made for _, theirs in pieces for name, made in theirs.items()}


def describe_type(kind: Any) -> tuple[Schema, dict[str, Schema]]:
    """Return the schema of a type and its definitions (`#/$defs/NAME`), also for a union of structs."""
    try:
        (own,), shared = msgspec.json.schema_components([kind])
        return own, dict(shared)
    except TypeError:
        pass
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        keys = {info.encode_name: hints[info.name] for info in msgspec.structs.fields(kind)}
        parts, definitions = _schema_components(list(keys.values()))
        made = {"title": kind.__name__, "type": "object", "properties": dict(zip(keys, parts, strict=True))}
        return {"$ref": f"#/$defs/{kind.__name__}"}, {**definitions, kind.__name__: made}
    members = [member for member in get_args(kind) if member not in (msgspec.UnsetType, Ellipsis)]
    parts, definitions = _schema_components(members)
    if get_origin(kind) in (tuple, list):
        return {"type": "array", "items": parts[0]}, definitions
    return {"anyOf": parts}, definitions


def _partial_schema(schema: Schema) -> Schema:
    """Return the schema of an answer whose parts may be omitted or shortened."""
    keys = {key for member in schema.get("anyOf", [schema]) for key in member["properties"]}
    properties = {key: _POLICY if key == "stderrPolicy" else {} for key in sorted(keys)}
    return {"type": "object", "properties": properties, "required": ["stderrPolicy"]}


def _union_members(kind: Any) -> Sequence[Any]:
    if isinstance(kind, (tuple, list)):
        return kind
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _complete_schema(schema: Schema, shared: Mapping[str, Schema], kind: Any) -> Schema:
    """Return the definition in place of a reference, with the keys of every answer."""
    own = shared[_reference_name(schema["$ref"])] if "$ref" in schema else schema
    properties = {**own.get("properties", {}), "stderrPolicy": _POLICY}
    return {**own, "type": "object", "properties": properties, "required": [*_required_keys(kind), "stderrPolicy"]}


def _required_keys(kind: Any) -> list[str]:
    """Return the keys that are always present: fields whose default is not UNSET."""
    if kind.__struct_config__.omit_defaults:
        return [info.encode_name for info in msgspec.structs.fields(kind) if info.required]
    return [info.encode_name for info in msgspec.structs.fields(kind) if info.default is not msgspec.UNSET]


def _reachable(schema: Any, shared: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    queue = [schema]
    while queue:
        item = queue.pop()
        if isinstance(item, dict):
            name = _reference_name(item["$ref"]) if isinstance(item.get("$ref"), str) else ""
            if name and name not in found:
                found.add(name)
                queue.append(shared[name])
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)
    return found


def _reference_name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _subset_schema(schema: Schema, kind: Any, names: Sequence[str]) -> Schema:
    spelled = {info.name: info.encode_name for info in msgspec.structs.fields(kind)}
    keep = [spelled[name] for name in names]
    subset = {
        "title": schema.get("title", "Answer") + "Min",
        "type": "object",
        "properties": {key: schema["properties"][key] for key in (*keep, "stderrPolicy")},
        "required": [key for key in schema["required"] if key in (*keep, "stderrPolicy")],
    }
    if used := _reachable(subset, schema.get("$defs", {})):
        subset["$defs"] = {name: schema["$defs"][name] for name in sorted(used)}
    return subset
