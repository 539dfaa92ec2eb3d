"""Takes secrets and personal details out of text that is handed on; always before the text is cut.

A cut secret is still half a secret, so whoever truncates redacts first. Detectors look at shapes: names that announce a
secret (env lines, JSON, YAML, headers, flags, URLs) and tokens that are one by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.errors import UsageError

RULES = ("emails", "secrets", "tokens", "numbers", "paths")
SECRET = "[REDACTED_SECRET]"
TOKEN = "[REDACTED_TOKEN]"

_WORD = (
    r"(?:api[_-]?key|access[_-]?key|account[_-]?key|signing[_-]?key|encryption[_-]?key|private[_-]?key|master[_-]?key"
    r"|license[_-]?key|ssh[_-]?key|secret|token|passw(?:or)?d|passphrase|passcode|credential|connection[_-]?string"
    r"|webhook[_-]?url|(?<![a-z])(?:pwd|dsn|auth)(?![a-z]))"
)
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_ASSIGNED = re.compile(
    # only the end of a name is looked at, so that nothing is tried twice
    rf"(?P<name>{_WORD}[\w.-]{{0,40}})(?P<sep>\\?[\"']?\s{{0,20}}(?:=>|:=|=|:)\s{{0,20}})"
    rf"(?P<value>\\\"(?:[^\"\\\n]|\\[^\"])*\\\"|{_QUOTED}|[^\s\"',;&)}}\]]+)",
    re.IGNORECASE,
)
_FLAG = re.compile(
    rf"(?<![\w-])(?P<name>--?[\w-]{{0,40}}?{_WORD}[\w-]{{0,40}})(?P<sep>[ \t]+)(?P<value>{_QUOTED}|[^\s\"'-][^\s\"']*)",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"[\"']?(?:\d{1,7}(?:[.,]\d+)*[km%]?|true|false|null|none|nil|undefined|yes|no|on|off|\*+|\.{3}|<[^>]*>"
    r"|\[redacted[^\]]*\]?|\$\{?\w+\}?|str|string|int|bool|used|limit|budget)?[\"']?\Z",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"(?:[a-z_-]*[a-z])s\Z", re.IGNORECASE)
_CODE_LIKE = re.compile(r"[A-Za-z]\d|\d[A-Za-z]|[A-Z]{3}|_")
_PEM = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL
)
_URL_LOGIN = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:\"']*:)(?P<value>[^\s/@\"']+)(?=@)", re.IGNORECASE)
_HEADER = re.compile(
    r"(?P<name>\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:basic|digest|token|negotiate)\s+)(?P<value>[^\s\"']+)"
    r"|(?P<cookie>\b(?:set-)?cookie[\"']?\s*:\s*)(?P<jar>[^\n\"]+)",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"\b(?:"
    r"sk-(?:[a-z]+-)*[A-Za-z0-9_-]{16,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|rt|ft|cbt)-[A-Za-z0-9_-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"
    r"|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{20,}|dop_v1_[a-f0-9]{40,}|dapi[a-f0-9]{32}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}|lin_api_[A-Za-z0-9]{30,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{40,}|\d{8,10}:AA[A-Za-z0-9_-]{32,}"
    r"|eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"
    r")"
)
_BEARER = re.compile(
    r"\b(?P<word>Bearer)\s+(?!(?:tokens?|auth\w*|scheme|header|of|is|and|or)\b)(?P<value>[\w.~+/=-]{3,})", re.I
)
_EMAIL = re.compile(r"\b[A-Z0-9._%+-]{1,64}@(?:[A-Z0-9-]{1,63}\.){1,8}[A-Z]{2,24}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b\d{6,}\b")
_PATH = re.compile(
    r"(?<![\w.~/\\-])(?:~[\w-]*|\.{1,2}|\$HOME)?/(?:[^\s\"'`=<>|;:,)\]}/][^\s\"'`=<>|;,)\]}]*)"
    r"|(?<![A-Za-z])[A-Za-z]:\\[^\s\"'<>|]+|\\\\[\w.$-]+\\[^\s\"'<>|]+"
)


class Redacted(Struct, frozen=True):
    """The text without what the rules name, and how often each found something."""

    text: str
    counts: dict[str, int]


def rules(csv: str) -> tuple[str, ...]:
    """The rules of a `--redact` value, each once; `all` stays a word of its own.

    Raises UsageError(invalid_redact_rules).
    """
    words = tuple(dict.fromkeys(word.strip().lower() for word in csv.split(",") if word.strip()))
    for word in words:
        if word not in (*RULES, "all", "none"):
            expected = "|".join(("none", "all", "paths", "emails", "secrets", "numbers", "tokens"))
            raise UsageError("invalid_redact_rules", f"invalid --redact rule: {word} (expected {expected})")
    if "none" in words and len(words) > 1:
        raise UsageError("invalid_redact_rules", "invalid --redact rules: none cannot be combined with other rules")
    return words


def redact(text: str, names: Sequence[str]) -> Redacted:
    """Apply the named rules."""
    chosen = RULES if "all" in names else names
    counts: dict[str, int] = {}
    for name in _ORDER:
        if name in chosen:
            text, counts[name] = _APPLY[name](text)
    return Redacted(text, counts)


def secrets(text: str) -> str:
    """The text without anything that opens a door."""
    return redact(text, ("secrets", "tokens")).text


def _secrets(text: str) -> tuple[str, int]:
    total = 0
    for pattern, replace in _SECRETS:
        text, found = _counted(pattern, replace, text)
        total += found
    return text, total


def _counted(pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str) -> tuple[str, int]:
    changed = 0

    def each(match: re.Match[str]) -> str:
        nonlocal changed
        new = replace(match)
        changed += new != match[0]
        return new

    return pattern.sub(each, text), changed


def _assigned(match: re.Match[str]) -> str:
    value = match["value"]
    if _HARMLESS.match(value.strip("\\")) or SECRET in value or TOKEN in value:
        return match[0]
    if value.lower() in ("bearer", "basic", "digest"):
        return match[0]
    if value[0] not in "\"'\\" and _PLURAL.match(match["name"]) and not _CODE_LIKE.search(value):
        return match[0]  # `passwords: are hashed`, `tokens: 19,732`
    opening = re.match(r"\\?[\"']", value)
    quote = opening[0] if opening else ""
    return f"{match['name']}{match['sep']}{quote}{SECRET}{quote}"


def _header(match: re.Match[str]) -> str:
    return f"{match['cookie']}{SECRET}" if match["cookie"] else f"{match['name']}{SECRET}"


def _tokens(text: str) -> tuple[str, int]:
    text, bearers = _counted(_BEARER, lambda match: f"{match['word']} {TOKEN}", text)
    text, shapes = _counted(_SHAPES, lambda match: TOKEN, text)
    return text, bearers + shapes


_SECRETS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_PEM, lambda match: SECRET),
    (_URL_LOGIN, lambda match: match["head"] + SECRET),
    (_HEADER, _header),
    (_ASSIGNED, _assigned),
    (_FLAG, _assigned),
    (_SHAPES, lambda match: SECRET),
)
_ORDER = ("tokens", "secrets", "emails", "numbers", "paths")
_APPLY: dict[str, Callable[[str], tuple[str, int]]] = {
    "tokens": _tokens,
    "secrets": _secrets,
    "emails": lambda text: _counted(_EMAIL, lambda match: "[REDACTED_EMAIL]", text),
    "numbers": lambda text: _counted(_NUMBER, lambda match: "[REDACTED_NUMBER]", text),
    "paths": lambda text: _counted(_PATH, lambda match: "[REDACTED_PATH]", text),
}
