"""Records of the config store: definitions, secrets and texts by name, with their metadata."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class RecordMetadata(Struct, kw_only=True, frozen=True):
    """Metadata that a user sets."""

    enabled: bool = False
    tags: tuple[str, ...] = ()
    comment: str = ""
    expiry: int = 0
    """Unix time in milliseconds; 0 is never."""
    ui_actions: tuple[dict[str, Any], ...] = ()


class RecordHistory(Struct, kw_only=True, frozen=True):
    """Metadata that the store keeps; times are Unix milliseconds."""

    etag: str
    """Changes with the record; a write that names another is refused."""
    created_at: int
    created_by: str = "lisa"
    guid: str
    last_author: str = "lisa"
    last_mod: int
    last_error: str = ""
    last_error_ts: int = 0


class HiveRecord(Struct, kw_only=True, frozen=True):
    """One record."""

    data: dict[str, Any]
    """Empty where only the metadata is asked for, and for secrets in lists."""
    usr_mtd: RecordMetadata
    sys_mtd: RecordHistory


class HivePage(Struct, kw_only=True, frozen=True):
    """A page of records, by name."""

    records: dict[str, HiveRecord]
    next_cursor: str
    """Empty on the last page."""


class WrittenRecord(Struct, kw_only=True, frozen=True):
    """A record that was written."""

    guid: str
    name: str
    etag: str


class ValidationReport(Struct, kw_only=True, frozen=True):
    """A record that could be written."""

    valid: bool


class HiveSchema(Struct, kw_only=True, frozen=True):
    """JSON Schema of the data of a record."""

    schema: dict[str, Any]


class RemovedRecord(Struct, kw_only=True, frozen=True):
    """A record that was removed."""


class SecretData(Struct, kw_only=True):
    """Data of a secret."""

    secret: str


class TextData(Struct, kw_only=True):
    """Data of a procedure (`sop`) or a note (`org_notes`)."""

    text: str
    description: str = ""


class MemoryData(Struct, kw_only=True):
    """Data of an agent's memory; a write adds to it, null removes."""

    memories: dict[str, str | None]


class SkillData(Struct, kw_only=True):
    """Data of a skill; further fields are those of its head."""

    content: str
    name: str = ""
    description: str = ""


class CostModelData(Struct, kw_only=True):
    """Data of a cost model."""

    label: str = ""
    loaded_hourly_rate: float = 0.0
    minutes_per_investigation: float = 0.0
    rate_source_note: str = ""
