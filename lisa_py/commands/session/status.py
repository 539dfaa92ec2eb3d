"""Print the state of a session."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, structs

from lisa_py import agents
from lisa_py.contract import csv
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentHint, FailNotFound, ModeHint, ProjectRoot, Session
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.send import open_dialog
from lisa_py.core.status import status_reader


class Args(Struct, kw_only=True):
    session: Session
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    project_root: ProjectRoot = ""
    full: Annotated[bool, Flag(help="more columns; saves the last screen of an ended session")] = False
    fail_not_found: FailNotFound = False


def run(args: Args, ctx: Context) -> Status:
    agent = agents.parse_agent_hint(args.agent)
    ref = ctx.ref(args.session, args.project_root)
    evidence, status = status_reader.read_with_evidence(ctx, ref, agent=agent, mode=args.mode)
    if ctx.output_format != "text":
        status = open_dialog.add_dialog(ctx, ref, status, evidence.pane)
    output_file = ""
    if args.full:
        from lisa_py.core.status import last_screen  # noqa: PLC0415 - only --full writes

        output_file = last_screen.save_last_screen(ctx, ref, evidence, status)
    code = status.error_code
    if code == "session_not_found" and not args.fail_not_found:
        code = UNSET  # a missing session is an answer, not a failure
    task = status.active_task or (output_file if status.session_state != "not_found" else "")
    return structs.replace(
        status_reader.normalise_status(status), active_task=task, output_file=output_file or UNSET, error_code=code
    )


def text(answer: Status, args: Args) -> str:
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


COMMAND = Command(
    args=Args,
    answer=Status,
    run=run,
    text=text,
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
        "error_code",
    ),
    exit_code=lambda answer: 1 if answer.error_code == "session_not_found" else 0,
    errors=("tmux_missing",),
    exits={0: "answered", 1: "refused, or missing session with --fail-not-found"},
    example="lisa session status --session lisa-demo-1\nlisa session status --session lisa-demo-1 --json",
    notes="""\
Text is one CSV line: status,todosDone,todosTotal,activeTask,waitEstimate,sessionState. sessionState is one of
just_started, in_progress, waiting_input, completed, crashed, stuck, degraded, not_found; --json adds the cause of
waiting (waitingFor), the activity of the agent (agentState) and the deciding evidence (stateSource). Reading changes
nothing.""",
)
