"""Redaction of one call: the same rules for every text of an answer, with a count per rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from lisa_py.store import masked_values
from lisa_py.store.paths import SessionRef

T = TypeVar("T")

MARGIN = 120
"""Lines read beyond the requested ones, to recognise a key whose first line is out of sight."""
UNMASKED_KEYS = frozenset(
    (
        *("session", "sessionState", "status", "errorCode", "strategy", "source", "schema", "version", "type", "state"),
        *("at", "updatedAt", "expiresAt", "savedAt", "runId", "agentSessionId", "redactRules", "redacted"),
    )
)
"""Keys whose values are names and codes, needed to continue; they are not free text."""


def build_session_mask(ref: SessionRef) -> Mask:
    """Return a redactor that hides only the secrets given to a session. Raise LisaError(secrets_unreadable)."""
    return Mask("", masked_values.read(ref))


class Mask:
    """Apply the rules of `--redact`, and hide known values whatever the rules are."""

    def __init__(self, csv: str, values: Sequence[str] = ()) -> None:
        """Create a redactor for the secrets of a session. Raise UsageError(invalid_redact_rules)."""
        self.rules: tuple[str, ...] = ()
        self.values = tuple(values)
        self.counts: dict[str, int] = {}
        if csv.strip():
            from lisa_py.core.redact import redact  # noqa: PLC0415 - 20 ms of patterns

            self.rules = redact.parse_rules(csv)

    @property
    def is_active(self) -> bool:
        """Return True if a text may change."""
        return bool(self.values) or self.applies_rules

    @property
    def applies_rules(self) -> bool:
        return bool(self.rules) and "none" not in self.rules

    def hides(self, rule: str) -> bool:
        return rule in self.rules or "all" in self.rules

    def clone(self) -> Mask:
        """Return a redactor with the same rules and its own counts, for text that is already counted."""
        return Mask(",".join(self.rules), self.values)

    def mask_text(self, text: str) -> str:
        if self.values and text:
            from lisa_py.core.redact import known_values  # noqa: PLC0415 - few sessions have secrets

            text = known_values.mask_values(text, self.values)
        if not self.applies_rules or not text:
            return text
        from lisa_py.core.redact import redact  # noqa: PLC0415 - 20 ms of patterns

        found = redact.redact_text(text, self.rules)
        for rule, count in found.counts.items():
            if count:
                self.counts[rule] = self.counts.get(rule, 0) + count
        return found.text

    def mask_lines(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Redact lines together, for a secret may span several; the number of lines stays."""
        return tuple(self.mask_text("\n".join(lines)).split("\n")) if self.is_active and lines else tuple(lines)

    def mask_record(self, value: T) -> T:
        """Return a struct with every text in it redacted, except names and codes."""
        masked: T = self._walk(value) if self.is_active else value
        return masked

    def annotate(self, answer: T) -> T:
        """Return an answer redacted as a record, with `redact_rules` and `redacted` if there are rules."""
        clean: Any = self.mask_record(answer)
        if not self.rules:
            return clean  # type: ignore[no-any-return]
        annotated: T = msgspec.structs.replace(
            clean, redact_rules=self.rules, redacted=self.counts if self.applies_rules else msgspec.UNSET
        )
        return annotated

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, dict):
            return {key: self._walk_member(key, item) for key, item in value.items()}
        if isinstance(value, msgspec.Struct):
            fields = msgspec.structs.fields(value)
            changed = {each.name: self._walk_member(each.encode_name, getattr(value, each.name)) for each in fields}
            return msgspec.structs.replace(value, **changed)
        return type(value)(self._walk(item) for item in value) if isinstance(value, list | tuple) else value

    def _walk_member(self, key: str, value: Any) -> Any:
        """Redact a member; the values of names and codes are changed only by a known secret."""
        if key not in UNMASKED_KEYS:
            return self._walk(value)
        return Mask("", self.values)._walk(value) if self.values else value
