"""Redact secrets and personal details in text for others; always before the text is cut.

A cut secret is still half a secret, so redaction precedes truncation. Detectors look at the context of a secret
(`secret_context`) and at token formats (`secret_formats`). Line numbers do not change.

"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.errors import UsageError
from lisa_py.core.redact import secret_context, secret_formats

RULES = ("emails", "secrets", "tokens", "numbers", "paths")
SECRET = "[REDACTED_SECRET]"
TOKEN = "[REDACTED_TOKEN]"

_BEARER = re.compile(
    r"\b(?:Bearer\s+(?!(?:tokens?|[Aa]uth\w*|scheme|header|of|is|and|or)\b)|(?i:bearer)\s+(?=[^\s\d]*\d))(?P<v>[\w.~+/=-]{3,}+)"
    r"(?!(?<==)(?:>|[\"']\w))"  # the name of a quoted value, which the rule of secrets finds
)
_EMAIL = re.compile(r"\b[A-Z0-9._%+-]{1,64}@(?:[A-Z0-9-]{1,63}\.){1,8}[A-Z]{2,24}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b\d{6,}\b")
_PATH = re.compile(
    r"\b(?:file|vscode|cursor)://[^\s\"'`<>|;,)\]}]+"
    r"|(?<![\w.~/\\-])(?:~[\w-]*|\.{1,2}|\$HOME|\$\{\w+\})?/(?:[^\s\"'`=<>|;:,)\]}/][^\s\"'`=<>|;,)\]}]*)"
    r"|(?<![A-Za-z])[A-Za-z]:[\\/](?!/)[^\s\"'<>|]+|\\\\[\w.$-]+\\[^\s\"'<>|]+"
)


class RedactionResult(Struct, frozen=True):
    """The redacted text, and the number of redactions per rule."""

    text: str
    counts: dict[str, int]


def parse_rules(csv: str) -> tuple[str, ...]:
    """Return the rules of a `--redact` value, each once; `all` stays one rule.

    Raise UsageError(invalid_redact_rules).
    """
    rules = tuple(dict.fromkeys(word.strip().lower() for word in csv.split(",") if word.strip()))
    for word in rules:
        if word not in (*RULES, "all", "none"):
            expected = "|".join(("none", "all", "paths", "emails", "secrets", "numbers", "tokens"))
            raise UsageError("invalid_redact_rules", f"invalid --redact rule: {word} (expected {expected})")
    if "none" in rules and len(rules) > 1:
        raise UsageError("invalid_redact_rules", "invalid --redact rules: none cannot be combined with other rules")
    return rules


def redact_text(text: str, names: Sequence[str]) -> RedactionResult:
    """Apply the named rules."""
    chosen = RULES if "all" in names else names
    counts: dict[str, int] = {}
    for name in _ORDER:
        if name in chosen:
            text, counts[name] = _APPLY[name](text)
    return RedactionResult(text, counts)


def redact_secrets(text: str) -> str:
    """Return the text without secrets."""
    return redact_text(text, ("secrets", "tokens")).text


def _redact_secrets(text: str) -> tuple[str, int]:
    total = 0
    for key in secret_context.PRIVATE_KEYS:
        text, found = _replace_matches(key, SECRET, text)
        total += found
    for block in secret_context.YAML_BLOCKS:
        text, found = _replace_values(block, text, SECRET, lambda match, value: "[REDACTED_" not in value)
        total += found
    for one in secret_context.CONTEXT_PATTERNS:
        text, found = _replace_values(one.pattern, text, SECRET, one.is_secret)
        total += found
    text, shaped = _redact_known_formats(text, SECRET)
    return text, total + shaped


def _redact_tokens(text: str) -> tuple[str, int]:
    text, bearers = _replace_values(_BEARER, text, TOKEN, lambda match, value: True)
    text, shaped = _redact_known_formats(text, TOKEN)
    return text, bearers + shaped


def _redact_known_formats(text: str, mark: str) -> tuple[str, int]:
    text, hooks = _replace_values(secret_formats.WEBHOOK, text, mark, lambda match, value: "[REDACTED_" not in value)
    text, tokens = _replace_matches(secret_formats.TOKEN, mark, text)
    text, cut = _replace_matches(secret_formats.CUT_TOKEN, mark, text)
    return text, hooks + tokens + cut


def _replace_matches(pattern: re.Pattern[str], mark: str, text: str) -> tuple[str, int]:
    return pattern.subn(lambda match: mark + "\n" * match[0].count("\n"), text)


def _replace_values(
    pattern: re.Pattern[str], text: str, mark: str, is_secret: Callable[[re.Match[str], str], bool]
) -> tuple[str, int]:
    """Replace only the value of each match; its context stays."""
    changed = 0

    def each(match: re.Match[str]) -> str:
        nonlocal changed
        group = secret_context.value_group(match)
        if not is_secret(match, match[group]):
            return match[0]
        changed += 1
        begin, end = match.start(group) - match.start(), match.end(group) - match.start()
        return match[0][:begin] + mark + "\n" * match[group].count("\n") + match[0][end:]

    return pattern.sub(each, text), changed


_ORDER = ("tokens", "secrets", "emails", "numbers", "paths")
_APPLY: dict[str, Callable[[str], tuple[str, int]]] = {
    "tokens": _redact_tokens,
    "secrets": _redact_secrets,
    "emails": lambda text: _replace_matches(_EMAIL, "[REDACTED_EMAIL]", text),
    "numbers": lambda text: _replace_matches(_NUMBER, "[REDACTED_NUMBER]", text),
    "paths": lambda text: _replace_matches(_PATH, "[REDACTED_PATH]", text),
}
