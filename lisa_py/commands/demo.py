"""Show a small fleet of agents at work, without leftovers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context, LiveDisplay
from lisa_py.core.fleet import status_table
from lisa_py.core.fleet.status_table import StatusRow
from lisa_py.core.workflows import demo
from lisa_py.core.workflows.demo_report import DemoResult, DemoSessionSummary, DemoUpdate
from lisa_py.terminal import table

LIVE_PACE = 1.4
PLAIN_PACE = 0.25
"""Factor for pauses without a terminal."""


class Args(Struct, kw_only=True):
    agent: Annotated[
        str,
        Flag(
            help="agent: scripted, or a real one for two prompts",
            metavar="AGENT",
            positional=True,
        ),
    ] = agents.BUNDLED


def run(args: Args, ctx: Context) -> DemoResult:
    pace = LIVE_PACE if ctx.live_display.screen else PLAIN_PACE
    return demo.run(ctx, args.agent, build_step_printer(ctx.live_display), pace=pace)


def build_step_printer(live: LiveDisplay) -> Callable[[DemoUpdate], None]:
    """Return a printer of the steps: lines above a live table; one line per change without a terminal."""

    def print_step(step: DemoUpdate) -> None:
        elapsed = f"{step.at:5.1f}s  "
        screen = live.screen
        if step.text:
            live.write_line(screen.paint(table.BOLD, elapsed + step.text) if screen else elapsed + step.text)
        if screen:
            live.show_rows(["", *status_table.format_rows(step.rows, screen, is_live=True), ""])
        else:
            for row in step.changed:
                live.write_line(elapsed + f"{row.name:<9} {status_table.describe_activity(row)}{_describe_task(row)}")

    return print_step


def _describe_task(row: StatusRow) -> str:
    todos = f" [{row.todos_done}/{row.todos_total}]" if row.todos_total else ""
    task = f" - {row.task}" if row.task else ""
    return f"{todos}{task} (source: {row.source})"


def text(answer: DemoResult, args: Args) -> str:
    lines = [
        "",
        f"Done: {len(answer.sessions)} agents in {answer.seconds:.0f} s; all states are the agents' own reports.",
    ]
    if not answer.ok:
        lines.append("Some steps failed: " + "; ".join(_list_problems(answer)))
    elif args.agent in agents.names() and agents.get(args.agent).hidden:
        agent_names = "|".join(name for name in agents.names() if not agents.get(name).hidden)
        lines.append(f"Next: lisa doctor, then lisa demo --agent AGENT ({agent_names}), then lisa session spawn --help")
    else:
        lines.append("Next: lisa session spawn --help")
    return "\n".join(lines)


def _list_problems(answer: DemoResult) -> list[str]:
    problems = [f"{one.role} ended {one.waiting_for or one.agent_state}" for one in answer.sessions if _is_stuck(one)]
    if not answer.hand_delivered:
        problems.append("no result was passed on")
    return [*problems, *(f"left behind: {left}" for left in answer.left_behind)]


def _is_stuck(session: DemoSessionSummary) -> bool:
    return session.session_state not in ("waiting_input", "completed") or session.waiting_for not in (
        "",
        "prompt",
        "limit",
    )


COMMAND = Command(
    group="daily",
    args=Args,
    answer=DemoResult,
    run=run,
    text=text,
    live=True,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(
        "invalid_agent",
        "agent_not_installed",
    ),
    exits={
        0: "the demo succeeded and left nothing behind",
        1: "a step failed or was refused",
        130: "Ctrl-C",
    },
    example="lisa demo\nlisa demo --json",
    notes="Everything happens in a temporary folder with its own tmux servers and records, which is removed at the "
    "end, also after Ctrl-C. The bundled agent needs no account and calls no model. With a real agent your account "
    "pays for two small prompts, and the temporary folder is trusted.",
)
