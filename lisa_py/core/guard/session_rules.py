"""Rules for tools of one session, as its hook gets them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from msgspec import Struct

from lisa_py.contract.approvals import APPROVALS_FILE
from lisa_py.contract.session_settings import TOOL_PATTERN


class ToolRules(Struct, frozen=True, kw_only=True):
    """Rules of one session."""

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    permission_mode: str = ""
    """acceptEdits, plan, bypassPermissions; empty: what no pattern covers is asked."""
    unattended: bool = False
    """No dialog can open: the session skips permissions, or it is a run."""

    @property
    def can_ask(self) -> bool:
        return not self.unattended and self.permission_mode != "bypassPermissions"


class SessionRules(Struct, frozen=True, kw_only=True):
    """Setup of the decisions of one session: `rules.json` in its folder, for its hook."""

    rules: ToolRules
    state_dir: str = ""
    """Folder of approvals.toml and of the log of decisions."""
    session: str = ""
    project_root: str = ""
    folder: str = ""
    """Working folder of the session."""
    run_id: str = ""

    @property
    def approvals(self) -> str:
        return os.path.join(self.state_dir, APPROVALS_FILE) if self.state_dir else ""


def list_denied_tools(rules: ToolRules, aliases: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the tools of which the rules deny some calls; `aliases`: further names of tools in patterns."""
    named = ["Bash" if read_prefix(pattern) is not None else pattern for pattern in rules.denied]
    more = [tool for tool, others in aliases.items() if any(name in others for name in named)]
    return tuple(dict.fromkeys((*named, *more)))


def read_prefix(pattern: str) -> str | None:
    """Return the prefix of a scoped pattern; None for the name of a tool."""
    found = TOOL_PATTERN.match(pattern)
    return found["prefix"] if found else None
