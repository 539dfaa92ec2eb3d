"""Monitoring as commands offer it: each poll told to all who listen, and the result as a payload."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract.errors import LisaError
from lisa_py.core.advice import monitor_handoff
from lisa_py.core.context import Context
from lisa_py.core.relay import pane_text
from lisa_py.core.watch import monitor
from lisa_py.core.watch.look import shown
from lisa_py.core.watch.monitor import Outcome, Poll
from lisa_py.core.watch.rules import Rules
from lisa_py.core.watch.webhook import Webhook
from lisa_py.host.clock import local_time, rfc3339
from lisa_py.store.places import Place


class Reporting(Struct, frozen=True, kw_only=True):
    """Who is told about each poll."""

    stream: bool = False
    verbose: bool = False
    quiet: bool = False
    """No live line, also on a terminal."""
    emit_handoff: bool = False
    handoff_cursor_file: str = ""
    cursor_reset: bool = False
    event_budget: int = 0
    webhook: str = ""


class PollEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """A poll, as --stream-json shows it."""

    type: str = "poll"
    poll: int
    session: str
    status: str
    session_state: str
    wait_estimate: int
    todos_done: int
    todos_total: int
    waiting_for: str | UnsetType = UNSET
    agent_state: str | UnsetType = UNSET
    active_task: str | UnsetType = UNSET
    classification_reason: str | UnsetType = UNSET
    transition: bool | UnsetType = UNSET
    """Reported because the state has changed, between two beats of the interval."""


class Monitored(Struct, frozen=True, kw_only=True, rename="camel"):
    session: str
    final_state: str
    final_status: str
    exit_reason: str
    polls: int
    todos_done: int
    todos_total: int
    classification_reason: str
    waiting_for: str | UnsetType = UNSET
    error_kind: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    output_file: str | UnsetType = UNSET
    next_offset: int | UnsetType = UNSET
    recoveries: int | UnsetType = UNSET
    webhook_error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(ctx: Context, place: Place, rules: Rules, reporting: Reporting) -> Monitored:
    """Monitor a session to the end.

    Raises LisaError: interrupted (exit code 130; the session is left alone), invalid_webhook, invalid_cursor_file,
    cursor_file_write_failed, handoff_stream_failed.
    """
    reporter = Reporter(ctx, place, reporting)
    try:
        outcome = monitor.monitor(ctx, place, rules, reporter.poll, reporter.seen)
    except KeyboardInterrupt:
        again = f"lisa session monitor --session {place.session}"
        raise LisaError(
            "interrupted",
            f"stopped watching; {place.session} goes on. To watch it again: {again}",
            exit_code=130,
            session=place.session,
        ) from None
    finally:
        ctx.progress("")
    return reporter.final(outcome)


class Reporter:
    """Tells all who listen about each poll: the stream, the handoff stream, the webhook, people."""

    def __init__(self, ctx: Context, place: Place, reporting: Reporting) -> None:
        """Raises UsageError(invalid_webhook | invalid_cursor_file)."""
        self._ctx = ctx
        self._place = place
        self._to = reporting
        self._small = ctx.form == "json-min"
        self._handoffs = self._stream() if reporting.emit_handoff else None
        self._hook = Webhook(reporting.webhook, ctx.settings) if reporting.webhook.strip() else None

    def _stream(self) -> monitor_handoff.Stream:
        return monitor_handoff.Stream(
            self._ctx,
            self._place,
            cursor_file=self._to.handoff_cursor_file,
            cursor_reset=self._to.cursor_reset,
            event_budget=self._to.event_budget,
            summary=not self._small,
            offset=self._offset,
        )

    def seen(self, poll: Poll) -> None:
        """One live line on a terminal."""
        if self._to.quiet or self._to.stream or self._to.verbose:
            return
        status = poll.status
        doing = status.waiting_for or status.active_task or status.classification_reason
        self._ctx.progress(f"{status.session}: {status.session_state} ({doing}) {poll.elapsed:.0f}s")

    def poll(self, poll: Poll) -> None:
        """Pass one reported poll on."""
        status = shown(poll.status)
        if self._to.verbose:
            self._ctx.warn(
                f"[{local_time(self._ctx.clock.now())}] poll={poll.number} state={status.session_state} "
                f'status={status.status} active="{status.active_task}" wait={status.wait_estimate}s'
            )
        if self._to.stream:
            self._ctx.emit(self._event(poll))
        if self._handoffs is not None:
            self._ctx.emit(self._handoffs.packet(poll.number, poll.status))
            self._handoffs.told()
        if self._hook is not None:
            self._hook.send(
                {
                    "event": "poll",
                    "at": self._now(),
                    "poll": poll.number,
                    "session": status.session,
                    "status": status.status,
                    "sessionState": status.session_state,
                    "waitingFor": status.waiting_for,
                    "todosDone": status.todos_done,
                    "todosTotal": status.todos_total,
                    "waitEstimate": status.wait_estimate,
                }
            )

    def _event(self, poll: Poll) -> PollEvent:
        status = shown(poll.status)
        return PollEvent(
            poll=poll.number,
            session=status.session,
            status=status.status,
            session_state=status.session_state,
            wait_estimate=status.wait_estimate,
            todos_done=status.todos_done,
            todos_total=status.todos_total,
            waiting_for=status.waiting_for or UNSET,
            agent_state=UNSET if self._small else status.agent_state,
            active_task=UNSET if self._small else status.active_task,
            classification_reason=UNSET if self._small else status.classification_reason,
            transition=poll.changed or UNSET,
        )

    def final(self, outcome: Outcome) -> Monitored:
        """The result; the webhook gets it too, and what went wrong there becomes part of it."""
        status = outcome.status
        result = Monitored(
            session=status.session,
            final_state=outcome.final_state,
            final_status=outcome.final_status,
            exit_reason=outcome.reason,
            polls=outcome.polls,
            todos_done=status.todos_done,
            todos_total=status.todos_total,
            classification_reason=status.classification_reason,
            waiting_for=status.waiting_for or UNSET,
            error_kind=status.error_kind,
            exit_code=status.exit_code,
            output_file=outcome.output_file or UNSET,
            next_offset=self._offset() or UNSET,
            recoveries=outcome.recoveries or UNSET,
            error_code=outcome.code or UNSET,
        )
        if self._hook is None:
            return result
        self._hook.send({"event": "final", "at": self._now(), **_known(result)})
        problem = self._hook.close()
        if problem:
            self._ctx.warn(f"webhook warning: {problem}")
        return structs.replace(result, webhook_error=problem or UNSET)

    def _offset(self) -> int:
        try:
            return pane_text.next_offset(self._ctx, self._place)
        except LisaError:
            return 0

    def _now(self) -> str:
        return rfc3339(self._ctx.clock.now(), fraction=True)


_FINAL: tuple[tuple[str, Callable[[Monitored], object]], ...] = (
    ("session", lambda result: result.session),
    ("finalState", lambda result: result.final_state),
    ("finalStatus", lambda result: result.final_status),
    ("exitReason", lambda result: result.exit_reason),
    ("polls", lambda result: result.polls),
    ("nextOffset", lambda result: result.next_offset),
    ("errorCode", lambda result: result.error_code),
)


def _known(result: Monitored) -> dict[str, object]:
    pairs = ((key, read(result)) for key, read in _FINAL)
    return {key: value for key, value in pairs if value is not UNSET}
