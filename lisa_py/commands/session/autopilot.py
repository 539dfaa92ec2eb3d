"""Run a whole job in one call: spawn, monitor, capture, handoff and optional kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract import command_line, csv, flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import AgentName, Mode, Model, NestedPolicy, NestingIntent, ProjectRoot, Session
from lisa_py.contract.projection import copy_fields
from lisa_py.contract.status import DialogChoice
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch
from lisa_py.core.planning import resolve
from lisa_py.core.planning.goals import GoalName
from lisa_py.core.planning.resolve import LANE_ERRORS, AssignmentFlags
from lisa_py.core.workflows import autopilot, autopilot_resume, autopilot_runs
from lisa_py.core.workflows.autopilot_resume import PreviousRun
from lisa_py.core.workflows.autopilot_runs import RunList, RunSummary
from lisa_py.core.workflows.autopilot_steps import AutopilotOptions, AutopilotRun, CaptureStepResult, StepEvent
from lisa_py.core.workflows.monitor_report import MonitorResult, PollEvent
from lisa_py.store import paths
from lisa_py.terminal import table
from lisa_py.terminal.table import Screen, TableRow


class Args(Struct, kw_only=True):
    goal: GoalName = "analysis"
    agent: AgentName = agents.DEFAULT_NESTED
    lane: Annotated[str, Flag(help="lane that supplies missing values", metavar="NAME")] = ""
    mode: Mode = ""
    nested_policy: NestedPolicy = ""
    nesting_intent: NestingIntent = ""
    project_root: ProjectRoot = ""
    session: Session = ""
    prompt: Annotated[str, Flag(help="prompt in place of the goal's default", metavar="TEXT")] = ""
    model: Model = ""
    poll_interval: flags.PollInterval = 30
    max_polls: flags.MaxPolls = 120
    timeout_seconds: Annotated[int, Flag(help="maximum wait after the call", minimum=1)] = 0
    on_limit: flags.OnLimit = ""
    capture_lines: Annotated[int, Flag(help="number of pane lines for the capture step", minimum=1)] = 220
    summary: Annotated[bool, Flag(help="summary instead of lines in the capture step")] = False
    summary_style: flags.SummaryStyle = "ops"
    token_budget: flags.TokenBudget = 320
    kill_after: Annotated[bool, Flag(help="end of the session after the handoff", boolean_word=True)] = False
    resume_from: Annotated[
        str,
        Flag(help="run to resume: JSON summary file, `-`, id, or `last`", metavar="PATH|ID"),
    ] = ""
    list_runs: Annotated[bool, Flag(help="list of resumable runs; no run is started")] = False
    stream_json: Annotated[bool, Flag(help="one JSON line per step and poll, before the summary", json=True)] = False


def run(args: Args, ctx: Context) -> AutopilotRun | RunList:
    if args.list_runs:
        return autopilot_runs.list_runs(ctx.project(args.project_root))
    if args.summary_style != "ops" and not args.summary:
        raise UsageError("summary_style_requires_summary", "--summary-style requires --summary")
    previous_run = None
    if args.resume_from:
        kill_after = args.kill_after if "kill_after" in ctx.given_fields else None
        previous_run = autopilot_resume.load_previous_run(
            ctx, args.resume_from, root=args.project_root, kill_after=kill_after
        )
    result = autopilot.run(ctx, _build_options(args, ctx, previous_run), previous_run, stream=args.stream_json)
    if result.failed_step is not UNSET and ctx.output_format == "text":
        failure = "spawn failed" if result.failed_step == "spawn" else f"failed at {result.failed_step}"
        ctx.warn(f"autopilot {failure}: {result.error}")
        ctx.warn(f"to resume: {command_line.build('session autopilot', resume_from=result.autopilot_id)}")
    return result


def _build_options(args: Args, ctx: Context, previous_run: PreviousRun | None) -> AutopilotOptions:
    """Merge the values of the call, the earlier run, the lane and the goal, in this order."""
    saved_options = previous_run.options if previous_run else {}

    def resolve_option(name: str) -> str:
        return str(getattr(args, name) if name in ctx.given_fields else saved_options.get(name, getattr(args, name)))

    assignment_flags = AssignmentFlags(
        **{name: resolve_option(name) for name in ("goal", "agent", "lane", "mode", "nested_policy", "nesting_intent")},
        prompt=resolve_option("prompt"),
        model=resolve_option("model"),
        budget=args.token_budget,
        given=ctx.given_fields | saved_options.keys() | ({"budget"} if "token_budget" in ctx.given_fields else set()),
    )
    root = args.project_root or saved_options.get("project_root", "")
    project = ctx.existing_project(root)
    resolved = resolve.resolve_assignment(project, assignment_flags)
    for note in resolved.notes:
        ctx.warn(note)
    options = copy_fields(
        args,
        AutopilotOptions,
        goal=resolved.goal.name,
        agent=resolved.agent.name,
        mode=resolved.mode,
        nested_policy=resolved.nested_policy,
        nesting_intent=resolved.nesting_intent,
        prompt=resolved.prompt or resolved.goal.prompt,
        model=resolved.model,
        lane=resolved.lane,
        project_root=project.root,
        session=paths.check_name(args.session.strip()) if args.session.strip() else "",
        token_budget=resolved.budget,
    )
    return previous_run.merge_options(options, ctx.given_fields) if previous_run else options


class MinimalAutopilotResult(Answer):
    """Outcome of the run with the captured output."""

    ok: bool
    autopilot_id: str
    session: str | UnsetType = UNSET
    final_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    capture: str | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    step_error_code: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    resume_step: str | UnsetType = UNSET


def minimize(answer: AutopilotRun | RunList, args: Args) -> MinimalAutopilotResult | RunList:
    if isinstance(answer, RunList):
        return answer
    monitored, captured = answer.monitor.output, answer.capture.output
    found: dict[str, Any] = {}
    if isinstance(monitored, MonitorResult):
        found = {name: getattr(monitored, name) for name in ("final_state", "waiting_for", "state_detail", "choices")}
    if isinstance(captured, CaptureStepResult):
        found |= {"capture": captured.capture, "summary": captured.summary}
    return MinimalAutopilotResult(
        ok=answer.ok,
        autopilot_id=answer.autopilot_id,
        session=answer.session,
        failed_step=answer.failed_step,
        step_error_code=UNSET if answer.failed_step is UNSET else answer.step(answer.failed_step).error_code,
        error_code=answer.error_code,
        error=answer.error,
        resume_step=answer.resume_step,
        **found,
    )


def text(answer: AutopilotRun | RunList, args: Args) -> str:
    if isinstance(answer, RunList):
        return "\n".join(_format_row(each) for each in answer.runs) or "no runs"
    suffix = " (resume no-op)" if answer.resume_step == "" else ""
    return f"session={answer.session or ''} ok={'true' if answer.ok else 'false'}{suffix}"


def format_terminal(answer: AutopilotRun | RunList, args: Args, screen: Screen) -> str:
    """Return the outcome of each step and what the agent answered; the runs as a table."""
    if isinstance(answer, RunList):
        headings = ("RUN", "STATE", "SESSION", "GOAL", "AGENT", "UPDATED")
        rows = [TableRow(cells=tuple(_list_cells(each))) for each in answer.runs]
        return "\n".join(table.format_table(headings, rows, screen)) if rows else "no runs"
    lines = []
    for name in ("spawn", "monitor", "capture", "handoff", "cleanup"):
        step = answer.step(name)
        if step.skipped is not True:
            done = "done" if step.ok else screen.paint(table.ALERT, f"failed: {step.error or step.error_code or ''}")
            lines.append(f"{name:<8} {done}")
    output = answer.capture.output
    if isinstance(output, CaptureStepResult):
        lines += ["", (output.summary or output.capture or "").rstrip()]
    elif isinstance(output, dict):
        lines += ["", str(output.get("summary") or output.get("capture") or "").rstrip()]
    return "\n".join([f"{answer.session or 'no session'}: {'done' if answer.ok else 'not done'}", *lines])


def _list_cells(summary: RunSummary) -> Iterator[str]:
    for cell in (summary.autopilot_id, summary.state, summary.session, summary.goal, summary.agent, summary.updated_at):
        yield cell or ""


def _format_row(summary: RunSummary) -> str:
    return csv.format_line(tuple(_list_cells(summary)))


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=AutopilotRun | RunList,
    run=run,
    text=text,
    terminal=format_terminal,
    min=minimize,
    exit_code=lambda answer: 0 if isinstance(answer, RunList) else answer.exit_code,
    events=(StepEvent, PollEvent),
    errors=(
        *launch.ERRORS,
        "agent_command_build_failed",
        *LANE_ERRORS,
        "summary_style_requires_summary",
        "invalid_resume_from",
        "autopilot_run_busy",
        "autopilot_resume_missing_session",
        "autopilot_spawn_failed",
        "autopilot_monitor_failed",
        "autopilot_capture_failed",
        "autopilot_handoff_failed",
        "autopilot_cleanup_failed",
        "autopilot_timeout",
        "agent_error",
        "agent_asks",
    ),
    exits={
        0: "every step is done (or none was left to resume)",
        1: "refused, or spawn, capture, handoff or cleanup failed (failedStep)",
        2: "the monitor step failed",
        130: "Ctrl-C; the session keeps running, and the summary can be resumed",
    },
    example="""\
lisa session autopilot --goal exec --agent claude --prompt "Fix the failing test" --kill-after true --json > run.json
lisa session autopilot --resume-from run.json --json
lisa session autopilot --resume-from last
lisa session autopilot --goal analysis --stream-json""",
    notes="""\
A failed step ends the run and keeps its answer (output, errorCode, exitCode). After a failed monitor step the output of
the session is still captured, and the session is not killed. --resume-from repeats the failed step and the steps after
it and keeps earlier results; agent, prompt, model, lane, folder and limits are those of the first run unless given
again.

After each step the summary is also written to a log in the folder of the project, which keeps the newest 20 runs. A run
whose process was killed can be resumed by its id (autopilotId) or as `last`, the newest run of the project. A resumed
run keeps its id. If a file and a run have the same name, the file is used.""",
)
