"""Command trees: build them from command lines, validate those from other sources, and format them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract.command_line import BINARY, CommandLine, SuggestedFlag
from lisa_py.contract.quoting import quote

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")


class CommandArgument(Struct, frozen=True, kw_only=True):
    """One flag of the command."""

    name: str
    flag: str
    type: str
    value: str | bool | int


class CommandAst(Struct, frozen=True, kw_only=True):
    """The command as data: the same words as `command`."""

    schema: str = "lisa.command.ast.v1"
    binary: str
    subcommands: tuple[str, ...]
    args: tuple[CommandArgument, ...]
    argv: tuple[str, ...]


def build_ast(line: CommandLine) -> CommandAst:
    return CommandAst(
        binary=line.binary,
        subcommands=tuple(line.name.split()),
        args=tuple(map(_build_argument, line.flags)),
        argv=line.argv,
    )


def _build_argument(flag: SuggestedFlag) -> CommandArgument:
    head, *others = flag.name.rstrip("_").split("_")
    kind = "bool" if flag.is_switch else "int" if isinstance(flag.value, int) else "string"
    return CommandArgument(
        name=head + "".join(map(str.capitalize, others)), flag=flag.spelling, type=kind, value=flag.value
    )


def _is_int(value: object) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "int": _is_int,
    "integer": _is_int,
    "number": _is_number,
    "float": _is_number,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


class CommandAstError(Exception):
    """A command tree breaks a rule; `code` names it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def validate(tree: object, where: str) -> None:
    """Check a tree. Raise CommandAstError."""
    prefix = "next_action_command_ast"
    if not isinstance(tree, dict):
        raise CommandAstError(f"invalid_{prefix}_type", f"{where} is not an object")
    for key in ("schema", "binary"):
        if key in tree and not isinstance(tree[key], str):
            raise CommandAstError(f"invalid_{key}_type", f"{where}.{key} is not a string")
    words = tree.get("subcommands")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word.strip() for word in words):
        raise CommandAstError(f"invalid_{prefix}_subcommands", f"{where}.subcommands is not a list of strings")
    if "args" not in tree:
        raise CommandAstError(f"missing_{prefix}_args", f"{where}.args is missing")
    args = tree["args"]
    if not isinstance(args, list | dict):
        raise CommandAstError(f"invalid_{prefix}_args_type", f"{where}.args is neither a list nor an object")
    for location, arg in _locate_arguments(args, where):
        _check_argument(arg, location, f"{prefix}_arg")


def _locate_arguments(args: list[Any] | dict[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    """Yield each argument with its path; in a map the key is the name and the value determines the type."""
    if isinstance(args, list):
        yield from ((f"{where}.args[{number}]", arg) for number, arg in enumerate(args))
        return
    for key in sorted(args):
        arg = args[key] if isinstance(args[key], dict) else {"value": args[key]}
        yield f"{where}.args.{key}", {"name": key, "type": _infer_type(arg.get("value")), **arg}


def _check_argument(arg: object, location: str, code: str) -> None:
    fields = arg if isinstance(arg, dict) else {}
    if "name" not in fields:
        raise CommandAstError(f"missing_{code}_name", f"{location}.name is missing")
    if not isinstance(fields["name"], str) or not fields["name"].strip():
        raise CommandAstError(f"invalid_{code}_name", f"{location}.name is not a string")
    if "type" not in fields:
        raise CommandAstError(f"missing_{code}_type", f"{location}.type is missing")
    kind = fields["type"]
    if not isinstance(kind, str) or kind.strip().lower() not in _TYPES:
        raise CommandAstError(f"invalid_{code}_type_name", f"{location}.type is not one of {', '.join(_TYPES)}")
    if "value" not in fields:
        raise CommandAstError(f"missing_{code}_value", f"{location}.value is missing")
    if not _TYPES[kind.strip().lower()](fields["value"]):
        raise CommandAstError(f"invalid_{code}_value", f'{location}.value does not match type "{kind}"')


def _infer_type(value: object) -> str:
    return next((name for name, fits in _TYPES.items() if fits(value)), "string")


def command_name(tree: Mapping[str, Any]) -> str:
    """Return the name of the command: `session send`."""
    words = tree.get("subcommands")
    return " ".join(str(word) for word in words) if isinstance(words, list) else ""


def format_command(tree: Mapping[str, Any]) -> str:
    """Return the command line; empty if the tree names no command."""
    if not command_name(tree):
        return ""
    binary = tree.get("binary")
    words = [binary.strip() if isinstance(binary, str) and binary.strip() else BINARY, command_name(tree)]
    for flag, value in _read_flags(tree.get("args")):
        if value is True:
            words.append(flag)
        elif value is not False and value is not None:
            words += [flag, _quote_value(value)]
    return " ".join(words)


def _read_flags(args: object) -> Iterator[tuple[str, Any]]:
    named: list[tuple[str, Any]] = []
    if isinstance(args, list):
        named = [("", arg) for arg in args]
    elif isinstance(args, dict):
        named = sorted(args.items())
    for key, arg in named:
        if not isinstance(arg, dict):
            yield f"--{key}", arg
            continue
        name = str(arg.get("name") or key)
        flag = arg.get("flag")
        if flag or name:
            yield str(flag or f"--{name}"), arg.get("value")


def _quote_value(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if _PLAIN.match(text) else quote(text)
