"""Watch a session in rounds: monitor, changes, handoff, next step; within a budget."""

from __future__ import annotations

from msgspec import UNSET

from lisa_py.contract.command import Command
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.workflows import loop_result
from lisa_py.core.workflows.loop import LoopOptions, run_loop
from lisa_py.core.workflows.loop_result import LoopResult, MinimalLoopResult


def run(args: LoopOptions, ctx: Context) -> LoopResult:
    result = run_loop(ctx, ctx.ref(args.session, args.project_root), args)
    if not result.ok and ctx.output_format == "text":
        ctx.warn(f"loop failed at {result.failed_step}: {result.error}")
    return result


def minimize(answer: LoopResult, args: LoopOptions) -> MinimalLoopResult:
    cycles = tuple(loop_result.minimize_cycle(cycle) for cycle in answer.steps)
    return copy_fields(answer, MinimalLoopResult, steps=cycles)


def text(answer: LoopResult, args: LoopOptions) -> str:
    if answer.error_code is not UNSET:
        return f"loop failed session={answer.session} completed_steps={answer.completed_steps}"
    return f"loop ok session={answer.session} completed_steps={answer.completed_steps}"


COMMAND = Command(
    group="fleet",
    args=LoopOptions,
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
