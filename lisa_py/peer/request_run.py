"""Run one request and write the messages of its answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lisa_py import crash_report, dispatch
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.peer import PeerMessage, PeerRequest, RequestId
from lisa_py.core.context import Context
from lisa_py.host import limits
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.env import Settings
from lisa_py.peer import protocol


class RequestRun:
    """One request of one reader."""

    def __init__(
        self,
        settings: Settings,
        request: PeerRequest,
        request_id: RequestId,
        *,
        cwd: str,
        cancellation: Cancellation,
        write: Callable[[PeerMessage], bool],
        delivery: AbstractContextManager[Any] | None = None,
    ) -> None:
        """`write` returns False if the reader has left; the last message has an exit code.

        A reader may continue at once from the positions of its last message: `write` calls `keep_positions` before it
        has written all of it, or `delivery` is held from that message until they are kept.
        """
        self._request = request
        self._id = request_id
        self._write = write
        self._delivery = delivery or nullcontext()
        self.problem: LisaError | None = None
        """The failure, before its message is written."""

        # functions without `self`: in a circle of references the request would be kept until a late collection
        def emit(event: Any) -> None:
            if not write(PeerMessage(id=request_id, event=event)):
                raise CancellationError

        def warn(text: str) -> None:
            write(PeerMessage(id=request_id, warning=text))

        self._ctx = Context(
            settings,
            cwd=cwd,
            output_format=request.format,
            emit=emit,
            warn=warn,
            stdin=request.stdin.encode,
            cancellation=cancellation,
        )

    def run(self) -> None:
        """Run the command; positions of its reader are kept only once it has the answer."""
        self._ctx.defer_cursors()
        try:
            answer = self._answer()
            with self._delivery:
                if self._write(answer):
                    self.keep_positions()
        finally:
            self._ctx.rollback_cursors()  # nothing, if the answer was written

    def keep_positions(self) -> None:
        """Keep the positions of the reader: it gets the answer."""
        self._ctx.commit_cursors()

    def _answer(self) -> PeerMessage:
        try:
            if self._request.cwd:
                self._ctx.enter(self._request.cwd)
            call = dispatch.build_call(self._request.command, self._request.args)
            self._ctx.given_fields = call.given
            return protocol.build_answer(self._id, call.run(self._ctx))
        except LisaError as problem:
            self.problem = problem.with_traceback(None)  # its frames refer to this object
        except Exception as problem:
            shortage = limits.find_shortage(problem)
            self.problem = shortage or crash_report.write_crash_report(problem, self._request.command.split())
        return protocol.build_error(self._id, self.problem)
