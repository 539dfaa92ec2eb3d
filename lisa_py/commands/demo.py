"""Show what lisa does with a small fleet of agents, in half a minute, leaving nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context, Live
from lisa_py.core.pilot import demo
from lisa_py.core.pilot.demo_report import Report, Row, Step, Told

WATCHED_PACE = 1.4
UNSEEN_PACE = 0.25
"""How much of a pause is left when nobody looks."""


class Args(Struct, kw_only=True):
    agent: Annotated[
        str,
        Flag(
            help="who plays: the bundled scripted agent, or a real one with your own account and two tiny prompts",
            metavar="AGENT",
            positional=True,
        ),
    ] = agents.BUNDLED


def run(args: Args, ctx: Context) -> Report:
    pace = WATCHED_PACE if ctx.live.columns else UNSEEN_PACE
    return demo.run(ctx, args.agent, shown(ctx.live), pace=pace)


def shown(live: Live) -> Callable[[Step], None]:
    """What happens, as lines that stay and a board below them; without a terminal each change is a line."""

    def show(step: Step) -> None:
        clock = f"{step.at:5.1f}s  "
        if step.text:
            live.say(_paint(live, "1", clock + step.text))
        if live.columns:
            live.board(board(step.rows, live.columns))
        else:
            for row in step.changed:
                live.say(clock + f"{row.role:<9} {_doing(row)}{_about(row)}")

    return show


HEAD = ("SESSION", "STATE", "DOING", "TODO", "FOR", "TOLD BY", "WHAT")
WIDTHS = (10, 14, 20, 5, 6, 11)
COLOURS = {"in_progress": "36", "just_started": "90", "waiting_input": "33", "completed": "32"}
"""Of session states; the others are red."""


def board(rows: Sequence[Row], columns: int) -> list[str]:
    """The table, one row a session."""
    if not rows:
        return []
    return ["", "  " + _columns(HEAD), *(_row(row, columns) for row in rows), ""]


def _row(row: Row, columns: int) -> str:
    todos = f"{row.todos_done}/{row.todos_total}" if row.todos_total else ""
    cells = (row.role, row.state, _doing(row), todos, f"{row.seconds:.0f}s", row.source, row.task)
    colour = "31" if row.doing in ("error", "killed", "gone") else COLOURS.get(row.state, "31")
    mark = "?" if row.waiting_for not in ("", "prompt", "error", "limit") else "●"
    return f"\x1b[{colour}m{mark} {_columns(cells)[: max(20, columns)]}\x1b[0m"


def _columns(cells: Sequence[str]) -> str:
    padded = [f"{cell[: width - 1]:<{width}}" for cell, width in zip(cells, WIDTHS, strict=False)]
    return "".join(padded) + cells[-1].replace("\n", " ")


def _doing(row: Row) -> str:
    if row.waiting_for in ("", "prompt"):
        return row.doing if row.doing != "unknown" else row.state
    if row.doing == "error":
        return "error"
    return f"asks: {row.waiting_for}"


def _about(row: Row) -> str:
    todos = f" [{row.todos_done}/{row.todos_total}]" if row.todos_total else ""
    task = f" - {row.task}" if row.task else ""
    return f"{todos}{task} (told by {row.source})"


def _paint(live: Live, style: str, text: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if live.columns else text


def text(answer: Report, args: Args) -> str:
    lines = [
        "",
        f"That was lisa: {len(answer.sessions)} agents in {answer.seconds:.0f} s, every state read from what the agents"
        " themselves say.",
    ]
    if not answer.ok:
        lines.append("Not all of it went well: " + "; ".join(_troubles(answer)))
    elif args.agent in agents.names() and agents.get(args.agent).hidden:
        real = "|".join(name for name in agents.names() if not agents.get(name).hidden)
        lines.append(f"Next: lisa doctor, then lisa demo --agent {real}, then lisa session spawn --help")
    else:
        lines.append("Next: lisa session spawn --help")
    return "\n".join(lines)


def _troubles(answer: Report) -> list[str]:
    troubles = [f"{one.role} ended {one.waiting_for or one.agent_state}" for one in answer.sessions if _stuck(one)]
    if not answer.hand_delivered:
        troubles.append("nothing was handed on")
    return [*troubles, *(f"left behind: {left}" for left in answer.left_behind)]


def _stuck(one: Told) -> bool:
    return one.session_state not in ("waiting_input", "completed") or one.waiting_for not in ("", "prompt", "limit")


COMMAND = Command(
    args=Args,
    answer=Report,
    run=run,
    text=text,
    live=True,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors={
        "invalid_agent": "--agent names no agent lisa knows",
        "agent_not_installed": "the agent's CLI is not on PATH",
    },
    exits={
        0: "all went as it should, and nothing is left behind",
        1: "something did not, or was refused",
        130: "Ctrl-C",
    },
    example="lisa demo\nlisa demo --json",
    notes="Everything happens in a temporary folder with tmux servers and records of its own, which is removed at the "
    "end, also after Ctrl-C. The bundled agent needs no account and asks no model. With a real agent two small prompts "
    "are paid for by your account, and its question whether to trust the temporary folder is answered with yes.",
)
