"""Show a small fleet of agents at work, in half a minute, without leftovers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context, LiveDisplay
from lisa_py.core.workflows import demo
from lisa_py.core.workflows.demo_report import DemoResult, DemoRow, DemoSessionSummary, DemoUpdate

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
    pace = LIVE_PACE if ctx.live_display.columns else PLAIN_PACE
    return demo.run(ctx, args.agent, build_step_printer(ctx.live_display), pace=pace)


def build_step_printer(live: LiveDisplay) -> Callable[[DemoUpdate], None]:
    """Return a printer of the steps: lines above a live table; one line per change without a terminal."""

    def print_step(step: DemoUpdate) -> None:
        elapsed = f"{step.at:5.1f}s  "
        if step.text:
            live.write_line(_apply_style(live, "1", elapsed + step.text))
        if live.columns:
            live.show_rows(build_table(step.rows, live.columns))
        else:
            for row in step.changed:
                live.write_line(elapsed + f"{row.role:<9} {_describe_activity(row)}{_describe_task(row)}")

    return print_step


HEADINGS = ("SESSION", "STATE", "DOING", "TODO", "FOR", "SOURCE", "DETAIL")
WIDTHS = (10, 14, 20, 5, 6, 11)
STATE_COLORS = {"in_progress": "36", "just_started": "90", "waiting_input": "33", "completed": "32"}
"""Colours of session states; all others are red."""


def build_table(rows: Sequence[DemoRow], columns: int) -> list[str]:
    """Format the table, one row per session."""
    if not rows:
        return []
    return ["", "  " + _format_columns(HEADINGS), *(_format_row(row, columns) for row in rows), ""]


def _format_row(row: DemoRow, columns: int) -> str:
    todos = f"{row.todos_done}/{row.todos_total}" if row.todos_total else ""
    cells = (row.role, row.state, _describe_activity(row), todos, f"{row.seconds:.0f}s", row.source, row.task)
    color = "31" if row.doing in ("error", "killed", "gone") else STATE_COLORS.get(row.state, "31")
    mark = "?" if row.waiting_for not in ("", "prompt", "error", "limit") else "●"
    return f"\x1b[{color}m{mark} {_format_columns(cells)[: max(20, columns)]}\x1b[0m"


def _format_columns(cells: Sequence[str]) -> str:
    padded = [f"{cell[: width - 1]:<{width}}" for cell, width in zip(cells, WIDTHS, strict=False)]
    return "".join(padded) + cells[-1].replace("\n", " ")


def _describe_activity(row: DemoRow) -> str:
    if row.waiting_for in ("", "prompt"):
        return row.doing if row.doing != "unknown" else row.state
    if row.doing == "error":
        return "error"
    return f"asks: {row.waiting_for}"


def _describe_task(row: DemoRow) -> str:
    todos = f" [{row.todos_done}/{row.todos_total}]" if row.todos_total else ""
    task = f" - {row.task}" if row.task else ""
    return f"{todos}{task} (source: {row.source})"


def _apply_style(live: LiveDisplay, style: str, text: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if live.columns else text


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
