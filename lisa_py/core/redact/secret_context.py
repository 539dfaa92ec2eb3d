"""Detect secrets by context: a preceding name, a command that receives them, a position in a URL.

Every pattern ends with the value, in the named group that matched last; `is_secret` decides if it is one. Names
are only examined from their significant word on, so that the time stays linear.

"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

ValueCheck = Callable[[re.Match[str], str], bool]

_HARMLESS_TAIL = (
    r"(?:i[sz]|ar[yi]|less|ed\b|s?[_-]?(?:budget|count|estimate|limit|type|usage|size|length|total|hint|field|name)"
    r"|s?[_-](?:not[_-]found|failed|required|invalid|error|missing|expired|rejected|ids?)\b|(?:Budget|Count|Type|Id|Name)\b)"
)
"""Suffixes that change the meaning: tokenize, secretary, token_budget, tokenCount, secret_not_found."""
_STRONG = (
    r"(?i:(?:api|access|account|signing|encryption|private|master|license|ssh|secret|shared[_-]?access|storage|deploy"
    r"|host|service|admin|session|client)[_-]?key|secret|token|passw(?:or)?d|passphrase|passcode|credential"
    r"|connection[_-]?string|webhook[_-]?url|(?<![a-z])(?:pwd|dsn)(?![a-z])"
    rf")(?!{_HARMLESS_TAIL})"
)
_WEAK = (
    r"(?:(?i:(?<![a-z])(?:pass|auth)(?![a-z]))|(?<=[_-])(?i:key|pwd)(?![a-z])|(?<=[a-z])(?:Key|Auth)(?![a-z])"
    r"|(?<=[A-Z])PWD(?![A-Z]))"
)
"""Words that also occur in harmless names: the value has to look like a key itself."""
_NAME_TAIL = r"[\w.-]{0,40}"
_QUOTE = (
    r"(?P<slashes>\\{1,3})(?P<quote>[\"'])(?P<qa>(?:(?!(?P=slashes)(?P=quote))[^\n])+)(?=(?P=slashes)(?P=quote))"
    r"|\"(?P<qb>(?:[^\"\\\n]|\\.)+)(?=\")|'(?P<qc>(?:[^'\\\n]|\\.)+)(?=')|`(?P<qd>[^`\n]+)(?=`)"
)
_OPTIONAL_QUOTE = r"\\{0,3}[\"']?"
"""A quote or none, also inside another string."""
_GAP = r"(?:[\s>|│┃]|\\[nrt])"
"""White space and box borders, also inside another string."""
_BARE = r"(?P<bare>[^\s\"'`,;&)}\]<>|]+)"
_BARE_WORD = r"(?P<bare>[^\s\"'`,;&)}\]<>|-][^\s\"'`,;&)}\]<>|]*)"

_HARMLESS = re.compile(
    r"[\"']?(?:\d{1,7}(?:[.,]\d+)*[km%]?|true|false|null|none|nil|undefined|yes|no|on|off|\*+|\.{3}|<[^>]*>?"
    r"|\[redacted[^\]]*\]?|\$\{?\{?[\w. ]+(?::?[-=]\d*)?\}{0,2}|\{+[\w.!:]*\}*|%\w+%|str|string|int|bool"
    r"|used|limit|budget|bearer|basic|digest)?[\"']?\Z",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"[A-Za-z_]{3,30}(?:\.[A-Za-z_]{2,30})+\Z|[A-Za-z_][A-Za-z_.]{2,40}[(\[]")
"""`self.password`, `read_token(`: program text that names the source of a secret."""
_PLURAL = re.compile(r"(?:[a-z_-]*[a-z])s\Z", re.IGNORECASE)
_CODE_LIKE = re.compile(r"[A-Za-z]\d|\d[A-Za-z]|[A-Z]{3}")
_MIXED = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])")
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/=_.~!@#$%^&*-]{12,}\Z")
_PROSE = frozenset(
    (
        *(
            "or",
            "and",
            "is",
            "to",
            "for",
            "with",
            "from",
            "in",
            "on",
            "at",
            "by",
            "the",
            "a",
            "an",
            "of",
            "when",
            "if",
            "as",
        ),
        *("shows", "needs", "takes", "gives", "flag", "option"),
    )
)


class ContextPattern(Struct, frozen=True):
    """One context of a secret."""

    pattern: re.Pattern[str]
    is_secret: ValueCheck


def value_group(match: re.Match[str]) -> str:
    """Return the name of the group that holds the value."""
    return match.lastgroup or ""


def _is_secret(match: re.Match[str], value: str) -> bool:
    """Return True after a secret name for anything that is not plainly harmless."""
    if _HARMLESS.match(value.strip("\\")) or "[REDACTED_" in value:
        return False
    name: str = match["name"]
    if value_group(match) != "bare":
        return bool(_CODE_LIKE.search(value)) or not name.lower().endswith("tokens")  # an amount, in words
    if not name.isupper() and _REFERENCE.match(value):
        return False
    # `passwords: are hashed`, `tokens: 19,732`
    return not (_PLURAL.match(name) and not _CODE_LIKE.search(value))


def _is_option_secret(match: re.Match[str], value: str) -> bool:
    """Return True after a flag for a value; `--token or --stdin` mentions the flag only."""
    return _is_secret(match, value) and value not in _PROSE


def _is_key(match: re.Match[str], value: str) -> bool:
    """Return True after an ambiguous name only for values that are never typed by hand."""
    return _is_secret(match, value) and bool(_RANDOM.match(value))


def _is_prose_secret(match: re.Match[str], value: str) -> bool:
    """Return True after a secret name in prose or a word list for a quoted value, or one of letters and digits."""
    if _HARMLESS.match(value) or "[REDACTED_" in value:
        return False
    if value_group(match) != "bare":
        return match["name"].isupper() or bool(_MIXED.match(value))  # SQL: WITH PASSWORD 'x'
    return len(value) >= 6 and bool(_MIXED.match(value)) and not _is_reference(value)


def _is_reference(value: str) -> bool:
    """Return True for names of things, such as `test_token_2.py` or `v2/token`."""
    return bool(re.search(r"\.(?:py|js|ts|go|rs|md|json|ya?ml|toml|txt|sh|c|h)\b|/", value)) or (
        value.islower() and "_" in value
    )


def _is_value(match: re.Match[str], value: str) -> bool:
    return not _HARMLESS.match(value) and "[REDACTED_" not in value


def _is_random(match: re.Match[str], value: str) -> bool:
    return _is_value(match, value) and bool(_RANDOM.match(value))


def _is_credentials(match: re.Match[str], value: str) -> bool:
    """Return True for credentials after `Authorization:`; `required` and `none` are none."""
    return _is_value(match, value) and bool(match["scheme"] or re.search(r"\d|[A-Z].*[a-z]|=", value))


_NAME = rf"(?P<name>{_STRONG}{_NAME_TAIL})"
_CLOSE = rf"{_OPTIONAL_QUOTE}\]?"
_ASSIGNMENT = r"[ \t]{0,20}(?:=>|:=|(?<![=!<>])=(?!=)|:)"
_VALUE = rf"{_ASSIGNMENT}(?:\s{{0,40}}(?:{_QUOTE})|[ \t]{{0,20}}{_BARE})"
"""Only a quoted value may be on the next line."""
_LINE = r"[^\n|;&]{0,200}?"

CONTEXT_PATTERNS = (
    # -- headers -------------------------------------------------------------------------------------------------------
    ContextPattern(
        re.compile(
            r"(?i:\b(?:proxy-)?authorization)[\"']?\s{0,9}[:=]\s{0,9}[\"']?(?P<scheme>(?i:basic|digest|token|negotiate|bearer"
            r"|apikey|hawk|aws4-hmac-sha256|signature|ntlm)\s+)?(?P<v>[^\n\"'`<>]+)"
        ),
        _is_credentials,
    ),
    ContextPattern(
        re.compile(r"(?i:\b(?:set-)?cookie2?)[\"']?\s{0,9}:\s{0,9}[\"']?(?P<v>[^\s\"';=]+=[^\n\"']*)"), _is_value
    ),
    # -- names ---------------------------------------------------------------------------------------------------------
    ContextPattern(re.compile(rf"{_NAME}{_CLOSE}{_VALUE}"), _is_secret),
    ContextPattern(re.compile(rf"(?P<name>{_WEAK}{_NAME_TAIL}){_CLOSE}{_VALUE}"), _is_key),
    ContextPattern(
        re.compile(
            rf"(?i:\b(?:name|key|id)){_OPTIONAL_QUOTE}[ \t]{{0,9}}[:=][ \t]{{0,9}}{_OPTIONAL_QUOTE}"
            rf"(?P<name>[\w.-]{{0,40}}?{_STRONG}{_NAME_TAIL}){_OPTIONAL_QUOTE}"
            rf"(?:{_GAP}|[,;\t]){{1,40}}{_OPTIONAL_QUOTE}(?i:value){_OPTIONAL_QUOTE}{_VALUE}"
        ),
        _is_secret,
    ),
    ContextPattern(
        re.compile(rf"<(?P<name>[\w.:-]{{0,40}}?{_STRONG}{_NAME_TAIL})[^<>\n]{{0,80}}>(?P<v>[^<>\n]+)(?=</)"), _is_value
    ),
    ContextPattern(
        re.compile(rf"(?<![\w-])(?P<name>--?[\w-]{{0,40}}?{_STRONG}[\w-]{{0,40}})[ \t]+(?:{_QUOTE}|{_BARE_WORD})"),
        _is_option_secret,
    ),
    ContextPattern(
        re.compile(rf"{_NAME}(?:[ \t]+(?:is|to|was|as|by|of))?[ \t]+(?:{_QUOTE}|{_BARE_WORD})"), _is_prose_secret
    ),
    ContextPattern(re.compile(rf"(?i:(?P<name>identified) by)[ \t]+(?:{_QUOTE}|{_BARE_WORD})"), _is_value),
    # -- addresses -----------------------------------------------------------------------------------------------------
    ContextPattern(re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:\"']*:(?P<v>[^\s/@\"']+)(?=@)"), _is_value),
    ContextPattern(
        re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://(?P<v>[^\s/@:\"']{16,})(?=(?::[^\s/@\"']*)?@)"), _is_random
    ),
    ContextPattern(
        re.compile(r"[?&#;](?i:sig|signature|x-(?:amz|goog)-(?:signature|credential)|hmac|jwt)=(?P<v>[^\s&\"'<>]+)"),
        _is_value,
    ),
    ContextPattern(re.compile(r"[?&#;](?i:key|code|auth)=(?P<v>[^\s&\"'<>]+)"), _is_random),
    # -- commands ------------------------------------------------------------------------------------------------------
    ContextPattern(
        re.compile(r"\s(?:-u|-U|--user|--proxy-user)[ \t=]*[\"']?[^\s:\"'=/]{1,64}:(?P<v>[^\s\"'@/]+)"), _is_value
    ),
    ContextPattern(re.compile(rf"\b(?:mysql\w*|mariadb\w*)\b{_LINE}\s-p(?P<v>[^\s-]\S*)"), _is_value),
    ContextPattern(re.compile(rf"\b(?:sshpass|login|7z|zip|unzip)\b{_LINE}\s-[pP][ ]?(?P<v>[^\s-]\S*)"), _is_value),
    ContextPattern(re.compile(r"\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+(?P<v>\S+)"), _is_value),
    ContextPattern(
        re.compile(rf"\bopenssl\b{_LINE}\s-(?:k|K|pass(?:in|out)?)\s+(?:pass:)?(?P<v>[^\s-]\S*)"), _is_value
    ),
    ContextPattern(re.compile(r"\bvault\s+login\s+(?P<v>[^\s\"'-][^\s\"']*)"), _is_random),
    ContextPattern(re.compile(rf"\bvault\s+(?:kv\s+put|write)\b{_LINE}=(?P<v>\S+)"), _is_value),
    ContextPattern(
        re.compile(
            rf"\b(?:echo|printf)\s+[\"']?(?P<v>[^\s\"'|]+)(?=[\"']?\s*\|{_LINE}(?:stdin|token|login|passwd|secret))"
        ),
        _is_value,
    ),
    ContextPattern(re.compile(rf"(?:token|login|passw(?:or)?d|stdin)\b{_LINE}<<<\s*[\"']?(?P<v>[^\s\"']+)"), _is_value),
    # -- .pgpass -------------------------------------------------------------------------------------------------------
    ContextPattern(re.compile(r"(?<![\w.:/*-])[\w.*-]+:(?:\d{2,5}|\*):[\w.*-]+:[\w.*-]+:(?P<v>[^\s\"']+)"), _is_random),
)

_HEAD = rf"{_STRONG}{_NAME_TAIL}{_OPTIONAL_QUOTE}[ \t]*:[ \t]*[|>][+-]?\d?[ \t]*"
YAML_BLOCKS = (
    re.compile(
        rf"(?m:^)(?P<indent>[ \t│┃|>#*]{{0,80}}+)[^\n]{{0,160}}?{_HEAD}\n(?P<v>(?:(?P=indent)[ \t]+[^\n]*(?:\n|\Z))+)"
    ),
    re.compile(rf"{_HEAD}(?P<v>(?:\\n[ \t]+[^\\\n\"]*)+)"),
)
"""A YAML block under a secret name; plain, and inside another string."""

_KIND = r"(?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)"
PRIVATE_KEYS = (
    re.compile(
        rf"-----BEGIN {_KIND}-----(?:(?:[^-]|-(?!----))*+-----END (?P=kind)-----"
        rf"|(?:{_GAP}*+(?:[A-Za-z0-9+/=]{{16,}}|[A-Za-z0-9+/=]{{4,}}(?=\s*\Z)|[A-Z][\w-]+: [^\n]*)"
        r"(?![A-Za-z0-9+/=]))++)"
    ),
    # the end of one whose beginning is out of sight
    re.compile(
        rf"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{{16,}}+={{0,2}}{_GAP}++){{1,120}}+[A-Za-z0-9+/=]{{0,80}}+{_GAP}*+"
        r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    ),
    re.compile(rf"(?<=Private-Lines: )\d+{_GAP}+(?:[A-Za-z0-9+/=]{{16,}}(?:{_GAP}|\Z)+)+"),
)
"""Private keys."""
