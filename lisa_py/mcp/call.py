"""One call of a tool: the commands that it runs, in the scope of the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.peer import PeerMessage, PeerRequest
from lisa_py.core.context import Context
from lisa_py.core.fleet import subtree
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.env import Settings
from lisa_py.peer.request_run import RequestRun


class ToolScope(Struct, frozen=True, kw_only=True):
    """The sessions that the tools of one server may act on."""

    settings: Settings
    project_root: str
    within: str = ""
    """Name of the session whose descendants are the only ones; empty: all of the project."""

    def list_members(self) -> frozenset[str] | None:
        """Return the names of the sessions within the scope; None for all of the project."""
        if not self.within:
            return None
        ctx = Context(self.settings, cwd=self.project_root)
        return frozenset(subtree.list_descendants(ctx, ctx.project(self.project_root), self.within))


class ToolFailure(Exception):
    """A refused call of a tool."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer.get("errorCode", ""))
        self.answer = answer
        """`{"ok": false, "errorCode": ..., "error": ...}`, as the command line prints it."""


class ToolRun:
    """One call of a tool."""

    def __init__(self, scope: ToolScope, cancellation: Cancellation, report: Callable[[str], None]) -> None:
        self.scope = scope
        self.report = report
        """Tell the client what the call waits for."""
        self._cancellation = cancellation

    def run(self, command: str, args: Mapping[str, Any], on_event: Callable[[Any], None] | None = None) -> Any:
        """Return the answer of a command as JSON data. Raise ToolFailure with its error."""
        last: list[PeerMessage] = []

        def take(message: PeerMessage) -> bool:
            if isinstance(message.exit_code, int):
                last.append(message)
            elif isinstance(message.event, Struct) and on_event is not None:
                on_event(message.event)
            return not self._cancellation.is_set

        request = PeerRequest(command=command, args={"project_root": self.scope.project_root, **args})
        RequestRun(
            self.scope.settings,
            request,
            1,
            cwd=self.scope.project_root,
            cancellation=self._cancellation,
            write=take,
        ).run()
        if isinstance(last[-1].error, dict):
            raise ToolFailure(last[-1].error)
        return last[-1].answer

    def check(self, session: str) -> None:
        """Raise LisaError(session_out_of_scope) for a session that the tools may not act on."""
        members = self.scope.list_members()
        if members is not None and session not in members:
            text = f"{session} is not a session that {self.scope.within} has started; session_list shows those"
            raise LisaError("session_out_of_scope", text, session=session)
