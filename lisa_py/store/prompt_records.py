"""Ids that clients gave to their prompts: `prompts.json` in the session folder."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.store.json_records import load_readable, save
from lisa_py.store.paths import SessionRef
from lisa_py.store.record import StoreRecord, check_session_files

FILE = "prompts.json"


class PromptRecord(Struct, kw_only=True, omit_defaults=True):
    """One prompt with an id; its text is not kept."""

    id: str
    digest: str
    """Of the text with single spaces."""
    size: int
    """Characters of that text."""
    at: float
    """Unix time at which its delivery began."""
    is_delivered: bool = False
    """False: the delivery did not end, or its process was killed."""
    cursor: str = ""
    """Cursor of its frame; empty until that was seen."""


class PromptRecords(Struct, kw_only=True):
    """The prompts of one session, oldest first."""

    prompts: list[PromptRecord] = []


def read_prompts(ref: SessionRef) -> list[PromptRecord]:
    """Return the prompts; none if the record is missing or unreadable."""
    found = load_readable(ref.file(FILE), PromptRecords)
    return found.prompts if found is not None else []


def write_prompts(ref: SessionRef, prompts: list[PromptRecord]) -> None:
    """Write the prompts. Raise LisaError(store_unwritable)."""
    save(ref.file(FILE), PromptRecords(prompts=prompts))


def digest_text(text: str) -> str:
    """Return the digest of a text."""
    return digests.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


RECORD = StoreRecord(
    check=lambda project, settings: check_session_files(project, {FILE: PromptRecords}), snapshot=None, prune=None
)
