"""Expand words of a shell line as far as the line shows their values: quotes, braces, variables."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence

from lisa_py.contract.late_pattern import compile_late

ANY, ONE, UNKNOWN = "\ue000", "\ue001", "\ue002"
"""In an expanded word: any text of a name, one character of it, any text at all."""
_OPEN, _COMMA, _CLOSE, _BLANK = "\ue003", "\ue004", "\ue005", "\ue006"
_MARKS = {ord(mark): UNKNOWN for mark in (ANY, ONE, UNKNOWN, _OPEN, _COMMA, _CLOSE, _BLANK)}
_BRACES = {ord(_OPEN): "{", ord(_COMMA): ",", ord(_CLOSE): "}"}
_PLAIN = {ord(mark): char for mark, char in zip((ANY, ONE, _OPEN, _COMMA, _CLOSE, _BLANK), "*?{,} ", strict=True)}
_PATTERNS = {"*": ANY, "?": ONE, " ": _BLANK, "\t": _BLANK, "\n": _BLANK}
_NAME = compile_late(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_PARAMETER = compile_late(
    r"(?P<name>[A-Za-z_]\w*|[0-9]+|[@*])(?:\[[^\]]*\])?(?P<operator>:?[-=+?])?(?P<word>.*)", re.DOTALL
)
_RANGE = compile_late(r"(-?\d{1,6}|[A-Za-z])\.\.(-?\d{1,6}|[A-Za-z])(?:\.\.-?\d+)?")
_ESCAPE = compile_late(r"\\(?:x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MOST = 256
"""Values of one word."""
_LONGEST_RANGE = 32
_MAX_DEPTH = 8


class TooManyWords(Exception):
    """A word becomes more words than are looked at."""


Lookup = Callable[[str], Sequence[str]]
"""Returns the values that a variable may have."""


def expand_word(raw: str, lookup: Lookup, *, braces: bool = True) -> list[str]:
    """Return the words that one word as written may become, with marks for what is not known. Raise TooManyWords.

    Without `braces` it is the value of a variable: one text, in which patterns do not count yet.
    """
    expander = _Expander(raw, lookup, 0)
    found = expander.expand()
    if raw.count("{") > _MOST:
        raise TooManyWords
    if braces:
        found = [each for value in found for each in _expand_braces(value, 0)]
        found = [part for value in found for part in value.split(_BLANK) if part]
    else:
        found = [value.translate(_PLAIN) for value in found]
    return _limit(list(dict.fromkeys(found)))


def has_marks(text: str) -> bool:
    return ANY in text or ONE in text or UNKNOWN in text


def decode_escapes(text: str) -> str:
    """Return the text of `$'...'`."""
    return _ESCAPE.sub(lambda found: _decode_escape(found[0][1:]), text)


def _decode_escape(code: str) -> str:
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
    elif code[0] in "01234567":
        number = int(code, 8) & 0xFF
    elif code[0] == "c" and len(code) > 1:
        number = ord(code[1]) & 0x1F
    else:
        return _ESCAPES.get(code, code)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def _limit(words: list[str]) -> list[str]:
    if len(words) > _MOST:
        raise TooManyWords
    return words


class _Expander:
    """Reads one word from left to right; every value that it may have grows by each part."""

    def __init__(self, raw: str, lookup: Lookup, depth: int) -> None:
        self._raw = raw
        self._lookup = lookup
        self._depth = depth
        self._at = 0
        self._values = [""]

    def expand(self) -> list[str]:
        while self._at < len(self._raw):
            char = self._raw[self._at]
            if char == "'":
                self._add_literal(self._take_until("'"))
            elif char == '"' or self._raw.startswith('$"', self._at):
                self._at += char == "$"
                self._read_double_quotes()
            elif self._raw.startswith("$'", self._at):
                self._add_literal(decode_escapes(self._take_ansi()))
            else:
                self._read_plain(char)
        return self._values

    def _read_plain(self, char: str) -> None:
        raw, at = self._raw, self._at
        if char == "\\":
            self._add_literal(raw[at + 1 : at + 2].replace("\n", ""))
            self._at += 2
        elif char in "$`":
            self._read_expansion(quoted=False)
        elif char in "@!+?*" and raw.startswith("(", at + 1):
            self._at += 1
        elif char == "(":  # a list, a pattern of patterns, the output of a program
            self._skip_group("(", ")")
            self._add([UNKNOWN if raw[at - 1 : at] in ("<", ">", "=") else ANY])
        elif char == "[" and "]" in raw[at + 2 :]:
            self._at = raw.index("]", at + 2) + 1
            self._add([ONE])
        else:
            special = {"{": _OPEN, ",": _COMMA, "}": _CLOSE, "*": ANY, "?": ONE}
            self._add([special.get(char, char.translate(_MARKS))])
            self._at += 1

    def _read_double_quotes(self) -> None:
        self._at += 1
        while self._at < len(self._raw) and self._raw[self._at] != '"':
            char = self._raw[self._at]
            if char == "\\" and self._raw[self._at + 1 : self._at + 2] in ("$", "`", '"', "\\", "\n"):
                self._add_literal(self._raw[self._at + 1].replace("\n", ""))
                self._at += 2
            elif char in "$`":
                self._read_expansion(quoted=True)
            else:
                self._add_literal(char)
                self._at += 1
        self._at += 1

    def _read_expansion(self, *, quoted: bool) -> None:
        raw, at = self._raw, self._at
        if raw[at] == "`":
            self._take_until("`")
            self._add([UNKNOWN])
        elif raw.startswith("$(", at) or raw.startswith("$[", at):
            self._at += 1
            self._skip_group(raw[at + 1], ")" if raw[at + 1] == "(" else "]")
            self._add([UNKNOWN])
        elif raw.startswith("${", at):
            self._at += 1
            content = self._skip_group("{", "}")
            self._add(_to_words(self._read_parameter(content), quoted))
        elif (found := _NAME.match(raw, at + 1)) is not None:
            self._at = found.end()
            values = _to_words(self._lookup(found[0]), quoted)
            if not quoted and raw.startswith("{", self._at):  # braces come first: `$a{b,c}` is `$ab $ac`
                self._skip_group("{", "}")
                rest = _NAME.match(raw, self._at)
                self._at = rest.end() if rest is not None and raw[self._at].isidentifier() else self._at
                values = list(self._lookup(""))
            self._add(values)
        else:
            self._add_literal("$")
            self._at += 1

    def _read_parameter(self, content: str) -> Sequence[str]:
        """Return the values of `${...}`."""
        found = _PARAMETER.fullmatch(content)
        if found is None or self._depth > _MAX_DEPTH or (found["word"] and not found["operator"]):
            return (UNKNOWN,)
        values = list(self._lookup(found["name"]))
        if not found["operator"] or found["operator"][-1] == "?":
            return values
        others = _Expander(found["word"], self._lookup, self._depth + 1).expand()
        return ["", *others] if found["operator"][-1] == "+" else [*values, *others]

    def _add_literal(self, text: str) -> None:
        self._add([text.translate(_MARKS)])

    def _add(self, parts: Iterable[str]) -> None:
        self._values = _limit([value + part for value, part in itertools.product(self._values, dict.fromkeys(parts))])

    def _take_until(self, end: str) -> str:
        start = self._at + 1
        stop = self._raw.find(end, start)
        stop = len(self._raw) if stop < 0 else stop
        self._at = stop + 1
        return self._raw[start:stop]

    def _take_ansi(self) -> str:
        start = at = self._at + 2
        while at < len(self._raw) and self._raw[at] != "'":
            at += 2 if self._raw[at] == "\\" else 1
        self._at = at + 1
        return self._raw[start:at]

    def _skip_group(self, opening: str, closing: str) -> str:
        """Go behind the end of a group; return what is in it."""
        start, depth, quote = self._at + 1, 0, ""
        while self._at < len(self._raw):
            char = self._raw[self._at]
            self._at += 1
            if char == "\\" and quote != "'":
                self._at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
                if not depth:
                    return self._raw[start : self._at - 1]
        return self._raw[start:]


def _to_words(values: Sequence[str], quoted: bool) -> list[str]:
    """Return the values of a variable; without quotes they are split, and patterns in them count."""
    if quoted:
        return list(values)
    return ["".join(_PATTERNS.get(char, char) for char in value) for value in values]


def _expand_braces(text: str, depth: int) -> list[str]:
    start = text.find(_OPEN)
    end = _find_close(text, start) if start >= 0 else -1
    if start >= 0 and end < 0:
        return [f"{text[:start].translate(_BRACES)}{{{rest}" for rest in _expand_braces(text[start + 1 :], depth + 1)]
    if start < 0 or end < 0:
        return [text.translate(_BRACES)]
    parts = _split_braces(text[start + 1 : end])
    if parts is None:
        parts = [f"{{{text[start + 1 : end]}}}"]
    if depth > _MAX_DEPTH:
        raise TooManyWords
    heads = [each for part in parts for each in _expand_braces(part, depth + 1)]
    tails = _expand_braces(text[end + 1 :], depth + 1)
    before = text[:start].translate(_BRACES)
    return _limit([before + head + tail for head in heads for tail in tails])


def _find_close(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == _OPEN) - (text[at] == _CLOSE)
        if text[at] == _CLOSE and not depth:
            return at
    return -1


def _split_braces(content: str) -> list[str] | None:
    """Return the alternatives of `a,b` or `1..3`; None if the braces are plain characters."""
    parts, depth = [""], 0
    for char in content:
        depth += (char == _OPEN) - (char == _CLOSE)
        if char == _COMMA and not depth:
            parts.append("")
        else:
            parts[-1] += char
    found = _RANGE.fullmatch(content)
    if len(parts) > 1 or found is None:
        return parts if len(parts) > 1 else None
    first, last = (int(each) if each.lstrip("-").isdigit() else ord(each) for each in found.groups())
    if abs(first - last) >= _LONGEST_RANGE:
        return [UNKNOWN]
    numbers = range(min(first, last), max(first, last) + 1)
    return [str(each) if found[1].lstrip("-").isdigit() else chr(each) for each in numbers]
