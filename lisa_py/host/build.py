"""Version of lisa and the build data of its packager."""

from __future__ import annotations

from msgspec import Struct

import lisa_py
from lisa_py.host.env import Settings


class BuildReport(Struct, frozen=True, kw_only=True):
    version: str
    commit: str
    date: str


def read_build(settings: Settings) -> BuildReport:
    """Return the version; commit and date come from LISA_BUILD_COMMIT and LISA_BUILD_DATE."""
    return BuildReport(
        version=lisa_py.__version__,
        commit=settings.get("LISA_BUILD_COMMIT", "none"),
        date=settings.get("LISA_BUILD_DATE", "unknown"),
    )
