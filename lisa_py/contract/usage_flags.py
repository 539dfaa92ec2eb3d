"""Flags of the commands that combine reports of usage."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.flags import Combine, ProjectRoot, UsedBy, UsedSeconds, UsedSteps, UsedTokens


class UsageArgs(Struct, kw_only=True):
    """Usage known to the caller and of sessions, besides reports in files."""

    tokens: UsedTokens = 0
    seconds: UsedSeconds = 0
    steps: UsedSteps = 0
    session: UsedBy = ()
    project_root: ProjectRoot = ""
    combine: Combine = "max"
