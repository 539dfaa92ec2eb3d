"""Base class of answers and of their parts."""

from __future__ import annotations

from typing import Any, dataclass_transform

import msgspec
from msgspec import UNSET, Struct, StructMeta, UnsetType


class _AnswerMeta(StructMeta):
    """Make every subclass keyword-only: msgspec does not inherit that option."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **options})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Answer(Struct, metaclass=_AnswerMeta, frozen=True, rename="camel"):
    """A frozen struct with camelCase keys; fields that are UNSET are omitted."""


class RedactedAnswer(Answer):
    """An answer of a command with `--redact`."""

    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """Number of redactions per rule."""


class CursorAnswer(RedactedAnswer):
    """An answer of a command with `--cursor-file`."""

    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    """True if the file was unreadable and was replaced."""
