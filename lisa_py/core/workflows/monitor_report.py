"""Monitor a session for a command: report each poll to all outputs and return the payload."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py import agents
from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.limits import UsageLimit
from lisa_py.contract.status import DialogChoice, Status
from lisa_py.core.context import Context
from lisa_py.core.handoff import monitor_stream
from lisa_py.core.output import pane_offset, pane_text
from lisa_py.core.send.open_dialog import add_drawn_dialogs
from lisa_py.core.status.status_reader import normalise_status
from lisa_py.core.wait import monitor
from lisa_py.core.wait.monitor import MonitorSummary, Poll
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.wait.webhook import Webhook
from lisa_py.host.clock import format_rfc3339, local_time
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef


class ReportOptions(Struct, frozen=True, kw_only=True):
    """Outputs that receive each poll."""

    stream: bool = False
    verbose: bool = False
    quiet: bool = False
    """No live line, also on a terminal."""
    emit_handoff: bool = False
    handoff_cursor_file: str = ""
    cursor_reset: bool = False
    event_budget: int = 0
    on_limit: str = ""
    """At a usage limit: wait for its end, or stop; empty: as for any other wait for input."""
    webhook: str = ""


class PollEvent(Answer):
    """A poll in --stream-json."""

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
    """True if reported because of a state change, between two intervals."""


class MonitorResult(Answer):
    session: str
    final_state: str
    final_status: str
    exit_reason: str
    polls: int
    todos_done: int
    todos_total: int
    classification_reason: str
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    """Question, command or report of the agent."""
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    """Choices of the open dialog."""
    limit: UsageLimit | UnsetType = UNSET
    """The usage limit that the agent waits at."""
    error_kind: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    resume_command: str | UnsetType = UNSET
    """The command that brings a lost session back."""
    output_file: str | UnsetType = UNSET
    next_offset: int | UnsetType = UNSET
    recoveries: int | UnsetType = UNSET
    webhook_error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def monitor_and_report(ctx: Context, ref: SessionRef, rules: StopRules, options: ReportOptions) -> MonitorResult:
    """Monitor a session to the end.

    Raise CancellationError (the session keeps running); LisaError: invalid_webhook, invalid_cursor_file,
    cursor_file_write_failed, handoff_stream_failed.
    """
    reporter = PollReporter(ctx, ref, options)
    try:
        outcome = _run_monitor(ctx, ref, rules, options.on_limit, reporter)
    except CancellationError:
        again = command_line.build("session monitor", session=ref.session)
        text = f"monitoring stopped; {ref.session} keeps running (to continue: {again})"
        raise CancellationError(text, session=ref.session) from None
    finally:
        ctx.progress("")
    return reporter.report_final(outcome)


def _run_monitor(
    ctx: Context, ref: SessionRef, rules: StopRules, on_limit: str, reporter: PollReporter
) -> MonitorSummary:
    if not on_limit:
        return monitor.run_monitor(ctx, ref, rules, reporter.report_poll, reporter.show_progress)
    from lisa_py.core.workflows import limit_wait  # noqa: PLC0415 - few monitors wait for the end of a limit

    return limit_wait.run_monitor(ctx, ref, rules, on_limit, reporter.report_poll, reporter.show_progress)


class PollReporter:
    """Report each poll to the stream, the handoff stream, the webhook and the terminal."""

    def __init__(self, ctx: Context, ref: SessionRef, options: ReportOptions) -> None:
        """Raise UsageError(invalid_webhook | invalid_cursor_file) for invalid outputs."""
        self._ctx = ctx
        self._ref = ref
        self._options = options
        self._minimal = ctx.output_format == "json-min"
        self._has_loaded = False
        self._handoffs = self._open_stream() if options.emit_handoff else None
        self._webhook = Webhook(options.webhook, ctx.settings) if options.webhook.strip() else None

    def _open_stream(self) -> monitor_stream.HandoffStream:
        return monitor_stream.HandoffStream(
            self._ctx,
            self._ref,
            cursor_file=self._options.handoff_cursor_file,
            cursor_reset=self._options.cursor_reset,
            event_budget=self._options.event_budget,
            summary=not self._minimal,
            offset=self._read_offset,
        )

    def show_progress(self, poll: Poll) -> None:
        """Format one live line for a terminal; load what the answer needs while there is time."""
        if not self._has_loaded:
            agents.layout_of(pane_text.read_meta_or_default(self._ref))
            self._has_loaded = True
        if self._options.quiet or self._options.stream or self._options.verbose:
            return
        status = poll.status
        activity = status.waiting_for or status.active_task or status.classification_reason
        self._ctx.progress(f"{status.session}: {status.session_state} ({activity}) {poll.elapsed:.0f}s")

    def report_poll(self, poll: Poll) -> None:
        """Report one poll."""
        status = normalise_status(poll.status)
        if self._options.verbose:
            self._ctx.warn(
                f"[{local_time(self._ctx.clock.now())}] poll={poll.number} state={status.session_state} "
                f'status={status.status} active="{status.active_task}" wait={status.wait_estimate}s'
            )
        if self._options.stream:
            self._ctx.emit(self._build_event(poll))
        if self._handoffs is not None:
            self._ctx.emit(self._handoffs.build_packet(poll.number, poll.status))
            self._handoffs.commit_cursor()
        if self._webhook is not None:
            self._webhook.send(
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

    def _build_event(self, poll: Poll) -> PollEvent:
        status = normalise_status(poll.status)
        return PollEvent(
            poll=poll.number,
            session=status.session,
            status=status.status,
            session_state=status.session_state,
            wait_estimate=status.wait_estimate,
            todos_done=status.todos_done,
            todos_total=status.todos_total,
            waiting_for=status.waiting_for or UNSET,
            agent_state=UNSET if self._minimal else status.agent_state,
            active_task=UNSET if self._minimal else status.active_task,
            classification_reason=UNSET if self._minimal else status.classification_reason,
            transition=poll.changed or UNSET,
        )

    def report_final(self, outcome: MonitorSummary) -> MonitorResult:
        """Return the payload; send it to the webhook, whose errors become part of it."""
        status = add_drawn_dialogs(self._ctx, [(self._ref, outcome.status)])[self._ref]
        result = MonitorResult(
            session=status.session,
            final_state=outcome.final_state,
            final_status=outcome.final_status,
            exit_reason=outcome.reason,
            polls=outcome.polls,
            todos_done=status.todos_done,
            todos_total=status.todos_total,
            classification_reason=status.classification_reason,
            waiting_for=status.waiting_for or UNSET,
            state_detail=status.state_detail or UNSET,
            choices=status.choices,
            limit=status.limit,
            error_kind=status.error_kind,
            exit_code=status.exit_code,
            resume_command=self._find_resume_command(status) or UNSET,
            output_file=outcome.output_file or UNSET,
            next_offset=self._read_offset(outcome.pane) or UNSET,
            recoveries=outcome.recoveries or UNSET,
            error_code=outcome.code or UNSET,
        )
        if self._webhook is None:
            return result
        self._webhook.send({"event": "final", "at": self._now(), **_final_fields(result)})
        problem = self._webhook.close()
        if problem:
            self._ctx.warn(f"webhook warning: {problem}")
        return structs.replace(result, webhook_error=problem or UNSET)

    def _find_resume_command(self, status: Status) -> str:
        if not status.may_be_lost:
            return ""
        from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - few sessions are lost

        return lost_sessions.find_resume_command(self._ctx, self._ref, status)

    def _read_offset(self, pane: Pane | None = None) -> int:
        """Return the offset after all output; a pane that was just read need not be looked for."""
        try:
            return pane_offset.next_offset(self._ctx, self._ref, UNSET if pane is None else pane)
        except LisaError:
            return 0

    def _now(self) -> str:
        return format_rfc3339(self._ctx.clock.now(), fraction=True)


_FINAL_FIELDS: tuple[tuple[str, Callable[[MonitorResult], object]], ...] = (
    ("session", lambda result: result.session),
    ("finalState", lambda result: result.final_state),
    ("finalStatus", lambda result: result.final_status),
    ("exitReason", lambda result: result.exit_reason),
    ("polls", lambda result: result.polls),
    ("nextOffset", lambda result: result.next_offset),
    ("errorCode", lambda result: result.error_code),
)


def _final_fields(result: MonitorResult) -> dict[str, object]:
    pairs = ((key, read(result)) for key, read in _FINAL_FIELDS)
    return {key: value for key, value in pairs if value is not UNSET}
