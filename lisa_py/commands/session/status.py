"""Print the state of a session."""

# annotations are evaluated here: as strings they cost a one-shot call its first `compile` (decision 0017)
from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Struct, structs

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.common_flags import AgentHint, FailNotFound, ModeHint, ProjectRoot, Session
from lisa_py.contract.limits import SessionLimits
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.send import open_dialog
from lisa_py.core.status import status_reader
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

if TYPE_CHECKING:
    from lisa_py.terminal.table import Screen


class Args(Struct, kw_only=True):
    session: Session
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    project_root: ProjectRoot = ""
    full: Annotated[bool, Flag(help="more columns; saves the last screen of an ended session")] = False
    fail_not_found: FailNotFound = False
    osc7501: Annotated[bool, Flag(help="the state as program status record to the terminal", acts=True)] = False


class StatusView(Status):
    """The state for a terminal: what to do about it, and how to look into the session."""

    age_seconds: float
    next_command: str
    reason: str
    attach_command: str


def run(args: Args, ctx: Context) -> Status:
    agent = agents.parse_agent_hint(args.agent)
    ref = ctx.ref(args.session, args.project_root)
    evidence, status = status_reader.read_with_evidence(ctx, ref, agent=agent, mode=args.mode)
    if ctx.output_format != "text":
        status = open_dialog.add_dialog(ctx, ref, status, evidence.pane)
    if args.osc7501:
        from lisa_py.core.fleet import program_records  # noqa: PLC0415 - few calls report to the terminal

        program_records.report_session(ctx, status)
    output_file = ""
    if args.full:
        from lisa_py.core.status import last_screen  # noqa: PLC0415 - only --full writes

        output_file = last_screen.save_last_screen(ctx, ref, evidence, status)
    limits = _describe_limits(ctx, ref, status) if files.exists(ref.limits) else None
    code = status.error_code
    if code == "session_not_found" and not args.fail_not_found:
        code = UNSET  # a missing session is an answer, not a failure
    task = status.active_task or (output_file if status.session_state != "not_found" else "")
    answer = structs.replace(
        status_reader.normalise_status(status),
        active_task=task,
        output_file=output_file or UNSET,
        error_code=code,
        limits=limits or UNSET,
        resume_command=_find_resume_command(ctx, ref, status) or UNSET,
    )
    if ctx.output_format != "text":
        return answer
    from lisa_py.core.advice import next_step, person, target  # noqa: PLC0415 - only text output
    from lisa_py.core.fleet import status_table  # noqa: PLC0415

    situation = next_step.read_situation(status)
    person.warn_about_wait(ctx, ref, situation)
    if answer.resume_command and ctx.screen is None:
        ctx.warn(f"{ref.session} is lost: {answer.resume_command} brings it back")
    if ctx.screen is None or args.full:
        return answer
    step = next_step.recommend_step(situation, target.build_target(ctx, ref))
    return StatusView(
        **structs.asdict(answer),
        age_seconds=status_table.seconds_in_state(status, ctx.clock.now()),
        next_command=step.command,
        reason=step.reason,
        attach_command=person.format_attach(ctx.server(ref).socket, ref.session),
    )


def _find_resume_command(ctx: Context, ref: SessionRef, status: Status) -> str:
    if not status.may_be_lost:
        return ""
    from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - few sessions are lost

    return lost_sessions.find_resume_command(ctx, ref, status)


def _describe_limits(ctx: Context, ref: SessionRef, status: Status) -> SessionLimits | None:
    from lisa_py.core.usage.limits import UNENFORCED, describe_limits  # noqa: PLC0415 - few sessions have limits

    limits = describe_limits(ref)
    if limits is not None and not limits.enforced and status.session_state not in TERMINAL_STATES:
        ctx.warn(f"{ref.session}: {UNENFORCED}")
    return limits


def text(answer: Status, args: Args) -> str:
    from lisa_py.contract import csv  # noqa: PLC0415 - only text output

    head = (answer.status, answer.todos_done, answer.todos_total, answer.active_task, answer.wait_estimate)
    if not args.full:
        return csv.format_line((*head, answer.session_state))
    signals = answer.signals
    problems = (
        signals.agent_scan_error,
        signals.tmux_read_error,
        signals.state_read_error,
        signals.meta_read_error,
        signals.done_file_read_error,
    )
    return csv.format_line(
        (
            "status_full_v1",
            *head,
            answer.session_state,
            answer.classification_reason,
            answer.pane_status,
            answer.agent_pid,
            f"{answer.agent_cpu:.2f}",
            answer.output_age_seconds,
            answer.heartbeat_age_seconds,
            signals.prompt_waiting,
            signals.heartbeat_fresh,
            signals.state_lock_timed_out,
            signals.state_lock_wait_ms,
            *("" if problem is UNSET else problem for problem in problems),
        )
    )


def format_terminal(answer: Status, args: Args, screen: "Screen") -> str:
    """Return the row of the fleet table, and what can be done about it."""
    if not isinstance(answer, StatusView):
        return text(answer, args)
    from lisa_py.core.fleet import status_table  # noqa: PLC0415 - only on a terminal

    lines = status_table.format_rows([status_table.build_row(answer, seconds=answer.age_seconds)], screen)
    lines += ["", f"next: {answer.next_command}", f"      {answer.reason}"]
    if answer.session_state != "not_found":
        lines.append(f"look: {answer.attach_command}")
    return "\n".join(lines)


COMMAND = Command(
    group="daily",
    reads=True,
    args=Args,
    answer=Status,
    run=run,
    text=text,
    terminal=format_terminal,
    min=(
        "session",
        "status",
        "session_state",
        "todos_done",
        "todos_total",
        "wait_estimate",
        "waiting_for",
        "question",
        "choices",
        "resume_command",
        "error_code",
    ),
    exit_code=lambda answer: 1 if answer.error_code == "session_not_found" else 0,
    errors=("no_terminal", "tmux_missing"),
    exits={0: "answered", 1: "refused, or missing session with --fail-not-found"},
    example="lisa session status --session lisa-demo-1\nlisa session status --session lisa-demo-1 --json",
    notes="""\
Text is one CSV line: status,todosDone,todosTotal,activeTask,waitEstimate,sessionState. sessionState is one of
just_started, in_progress, waiting_input, completed, crashed, stuck, degraded, not_found; --json adds the cause of
waiting (waitingFor), the activity of the agent (agentState) and the deciding evidence (stateSource). Reading changes
nothing. --osc7501 also reports the session to the terminal in the Program Status Protocol (OSC 7501).""",
)
