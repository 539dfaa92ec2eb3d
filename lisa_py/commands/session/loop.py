"""Watch a session in rounds: monitor, changes, handoff, next step; within a budget."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct

from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.handoff.handoff import SCHEMAS
from lisa_py.core.planning.budget import BudgetLimits
from lisa_py.core.workflows import loop_result
from lisa_py.core.workflows.loop import LoopRequest, run_loop
from lisa_py.core.workflows.loop_result import LoopResult, MinimalLoopResult


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    poll_interval: flags.PollInterval = 2
    max_polls: flags.MaxPolls = 40
    strategy: flags.Strategy = "balanced"
    events: flags.Events = 8
    lines: flags.Lines = 120
    token_budget: flags.TokenBudget = 700
    cursor_file: Annotated[
        str, Flag(help="file with the last pack; default: in the session folder", metavar="PATH")
    ] = ""
    handoff_cursor_file: Annotated[
        str,
        Flag(help="file with the last event; default: in the session folder", metavar="PATH"),
    ] = ""
    cursor_reset: flags.CursorReset = False
    schema: Annotated[
        str,
        Flag(
            help="schema of the handoff",
            choices=SCHEMAS,
            aliases={"": "v2", **{name.removeprefix("v"): name for name in SCHEMAS}},
        ),
    ] = "v2"
    steps: Annotated[int, Flag(help="number of rounds", minimum=1)] = 1
    max_tokens: Annotated[int, Flag(help="maximum tokens of the answer", minimum=1)] = 0
    max_seconds: Annotated[int, Flag(help="maximum seconds of the loop", minimum=1)] = 0
    max_steps: Annotated[int, Flag(help="maximum rounds of the loop", minimum=1)] = 0


def run(args: Args, ctx: Context) -> LoopResult:
    request = copy_fields(args, LoopRequest, limits=copy_fields(args, BudgetLimits))
    result = run_loop(ctx, ctx.ref(args.session, args.project_root), request)
    if not result.ok and ctx.output_format == "text":
        ctx.warn(f"loop failed at {result.failed_step}: {result.error}")
    return result


def minimize(answer: LoopResult, args: Args) -> MinimalLoopResult:
    cycles = tuple(loop_result.minimize_cycle(cycle) for cycle in answer.steps)
    return copy_fields(answer, MinimalLoopResult, steps=cycles)


def text(answer: LoopResult, args: Args) -> str:
    if answer.error_code is not UNSET:
        return f"loop failed session={answer.session} completed_steps={answer.completed_steps}"
    return f"loop ok session={answer.session} completed_steps={answer.completed_steps}"


COMMAND = Command(
    args=Args,
    answer=LoopResult,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: answer.exit_code,
    errors=(
        "invalid_cursor_file",
        "semantic_cursor_read_failed",
        "loop_monitor_failed",
        "loop_diff_pack_failed",
        "loop_handoff_failed",
        "loop_next_failed",
        "budget_limit_exceeded",
    ),
    exits={
        0: "all rounds are done, or the session has ended (see exitReason)",
        1: "refused, a step failed (failedStep, cause), or a limit is reached",
        130: "Ctrl-C; the session keeps running",
    },
    example="lisa session loop --session lisa-demo-1 --steps 3 --max-tokens 4000 --json-min",
    notes="""\
The loop sends nothing to the session. After a round that leaves it waiting for input, the next round begins with the
next input; if none comes within --poll-interval times --max-polls seconds, the loop ends with exitReason waiting_input.
It also ends with the session. The last round may reach a limit exactly. Tokens are those of the answer (bytes divided
by four); `session budget-observe --session` reports the usage of the agent.""",
)
