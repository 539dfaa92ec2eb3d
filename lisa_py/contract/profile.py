"""A profile as answers carry it."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.session_settings import SessionSettings


class ProfileSummary(Answer):
    """A profile; values that are not references are hidden."""

    id: str
    name: str
    is_default: bool
    settings: SessionSettings
    description: str | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET
