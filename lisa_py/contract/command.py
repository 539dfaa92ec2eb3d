"""Command description: typed arguments whose fields are flags, a typed answer, and its presentation."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from lisa_py.contract.errors import UsageError
from lisa_py.contract.late_pattern import compile_late

BOOLEAN_WORDS = {"true": True, "false": False}
MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""
_PLAIN_NUMBER = compile_late(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
"""int() would accept 1_000 and digits of other scripts."""
DEFAULT_EXITS = {0: "done", 1: "refused or failed; see the message or errorCode"}


class Flag(Struct, frozen=True, kw_only=True):
    """Properties of a flag beyond the type of its field."""

    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, str] = {}
    """Accepted spellings of choices, lower case, by canonical word."""
    code: str = ""
    """`errorCode` of a refused value; empty: derived from the field name."""
    minimum: int | None = None
    maximum: int | None = None
    """None: the largest integer of JSON."""
    boolean_word: bool = False
    """A bool that takes the literal words true or false."""
    off_spelling: str = ""
    """A second spelling that sets the bool to False; the last one given wins."""
    other_spellings: tuple[str, ...] = ()
    """Further spellings of the flag."""
    json: bool = False
    """The flag implies JSON output."""
    positional: bool = False
    """The value may be given without the flag name, as the only argument."""
    acts: bool = False
    """The flag writes a file, or makes a command that reads do more."""
    repeatable: bool = False
    """The flag may be repeated; the field is a tuple."""


class Field(Struct, frozen=True):
    """One flag of one command, read from the Args struct."""

    name: str
    kind: type
    flag: Flag
    default: Any

    @property
    def spelling(self) -> str:
        return "--" + self.name.rstrip("_").replace("_", "-")  # from_ is --from: Python keeps the bare word

    @property
    def required(self) -> bool:
        return self.default is NODEFAULT

    @property
    def is_switch(self) -> bool:
        return self.kind is bool and not self.flag.boolean_word

    @property
    def code(self) -> str:
        return self.flag.code or f"invalid_{self.name.rstrip('_')}"

    @property
    def metavar(self) -> str:
        if self.flag.choices:
            return "|".join(filter(None, self.flag.choices))
        if self.flag.boolean_word:
            return "true|false"
        return self.flag.metavar or {int: "N", float: "N"}.get(self.kind, "TEXT")

    @property
    def is_checked(self) -> bool:
        """Return True if parsing may refuse a value."""
        return bool(self.flag.choices) or self.flag.boolean_word or self.kind in (int, float)

    @property
    def expected(self) -> str:
        """Description of the accepted values of a checked flag."""
        if self.flag.choices or self.flag.boolean_word:
            return self.metavar
        limits = ((">=", self.flag.minimum), ("<=", self.flag.maximum))
        bounds = [f"{sign} {limit}" for sign, limit in limits if limit is not None]
        return " ".join(["a number", " and ".join(bounds)]).rstrip()

    def spellings(self) -> tuple[str, ...]:
        """Return all spellings of this flag, including the one that switches it off."""
        off = (self.flag.off_spelling,) if self.flag.off_spelling else ()
        return (self.spelling, *self.flag.other_spellings, *off)

    def parse(self, text: str) -> Any:
        """Return the typed value of one written value.

        Raise UsageError with the code of this flag if the value is refused.
        """
        if self.flag.choices:
            return self._parse_choice(text)
        if self.flag.boolean_word:
            return self._parse_word(text)
        if self.kind in (int, float):
            return self._parse_number(text)
        return text

    def _parse_choice(self, text: str) -> str:
        word = text.strip().lower()
        word = self.flag.aliases.get(word, word)
        if word not in self.flag.choices:
            raise self._usage_error(text)
        return word

    def _parse_word(self, text: str) -> bool:
        word = text.strip().lower()
        if word not in BOOLEAN_WORDS:
            raise self._usage_error(text)
        return BOOLEAN_WORDS[word]

    def _parse_number(self, text: str) -> int | float:
        try:
            if not _PLAIN_NUMBER.fullmatch(text.strip()):
                raise ValueError
            value = self.kind(text.strip())
        except ValueError:
            raise self._usage_error(text) from None
        if not self.accepts_number(value):
            is_huge = self.flag.maximum is None and value > MAX_INTEGER
            raise self._usage_error(text, f"a number <= {MAX_INTEGER}" if is_huge else "")
        return value  # type: ignore[no-any-return]

    def accepts_number(self, value: float) -> bool:
        """Return True if the value is within the bounds of this flag."""
        lowest = -math.inf if self.flag.minimum is None else self.flag.minimum
        return lowest <= value <= (MAX_INTEGER if self.flag.maximum is None else self.flag.maximum)

    def _usage_error(self, text: str, expected: str = "") -> UsageError:
        return UsageError(self.code, f"invalid {self.spelling}: {text} (expected {expected or self.expected})")


@functools.cache  # resolving the hints of a class takes 0.3 ms, of a call over `lisa peer` a tenth
def read_fields(args: type[Struct]) -> tuple[Field, ...]:
    """Return the flags of a command in declaration order, its own before inherited ones."""
    hints = get_type_hints(args, include_extras=True)
    infos = {info.name: info for info in msgspec.structs.fields(args)}
    return tuple(Field(name, *_split_hint(hints[name]), infos[name].default) for name in _order_names(args))


def _order_names(args: type[Struct]) -> Iterator[str]:
    base = args.__base__
    inherited = base.__struct_fields__ if base is not None and issubclass(base, Struct) else ()
    yield from (name for name in args.__struct_fields__ if name not in inherited)
    if inherited:
        yield from _order_names(base)  # type: ignore[arg-type]


def _split_hint(hint: Any) -> tuple[type, Flag]:
    base, *extras = get_args(hint)
    flag = next(extra for extra in reversed(extras) if isinstance(extra, Flag))
    kinds = [kind for kind in get_args(base) if kind is not type(None)] if get_origin(base) else [base]
    return kinds[0], flag


GROUPS: Mapping[str, str] = {
    "daily": "every day",
    "live": "live sessions",
    "fleet": "many sessions",
    "reading": "look closer",
    "handing_on": "hand on",
    "planning": "plan and limit",
    "checks": "check this machine",
    "accounts": "accounts",
    "skill": "skill for agents",
    "programs": "for programs",
}
"""Purposes of commands with their titles, in the order of help pages."""
CommandGroup = Literal[
    "daily", "live", "fleet", "reading", "handing_on", "planning", "checks", "accounts", "skill", "programs"
]


class Command(Struct, frozen=True, kw_only=True):
    """One command; the path of its file is its name."""

    args: type[Struct]
    answer: Any
    """Struct (or union of structs) that `run` returns; `session schema` is derived from it."""
    run: Callable[[Any, Any], Any] = lambda args, ctx: None
    """(args, ctx) -> answer. Resolves, calls core, shapes; never prints or exits. Unused if there is a `face`."""
    face: str = ""
    """Package that runs the command by `main.main(args)` and owns the standard streams: `peer`."""
    text: Callable[[Any, Any], str] | None = None
    """(answer, args) -> text for people; None: the command always answers JSON."""
    terminal: Callable[[Any, Any, Any], str] | None = None
    """(answer, args, screen) -> text on a terminal; None: the same as `text`."""
    document: Callable[[Any, Any], Any] | None = None
    """(answer, args) -> plain data in place of a text, printed in the format of --output (contract/client_flags.py)."""
    min: Sequence[str] | Callable[[Any, Any], Any] | None = None
    """`--json-min`: field names to keep (in Python spelling), or (answer, args) -> smaller struct or dict."""
    group: CommandGroup
    """Purpose; help, reference and skill list commands by it."""
    exit_code: Callable[[Any], int] = lambda answer: 0
    errors: Sequence[str] = ()
    """Error codes of this command only; those of its checked flags follow from the fields."""
    example: str = ""
    exits: Mapping[int, str] = msgspec.field(default_factory=lambda: DEFAULT_EXITS)
    events: Any = None
    """Structs that a streaming command emits before its answer."""
    newline: bool = True
    """True if text output ends with a newline that is not part of the text."""
    notes: str = ""
    """Further paragraphs of `--help`."""
    hidden: bool = False
    reads: bool = False
    """Shows state and changes none, for a caller that may only read; a flag with `acts` is not such a call's."""
    live: bool = False
    """Reports progress to people while it runs."""

    @property
    def fields(self) -> tuple[Field, ...]:
        return read_fields(self.args)

    @property
    def error_codes(self) -> tuple[str, ...]:
        """All error codes but the common ones, sorted."""
        of_flags = (field.code for field in self.fields if field.is_checked or field.flag.code)
        return tuple(sorted({*self.errors, *of_flags}))
