"""Table of session states for people: one row per session."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.terminal import table
from lisa_py.terminal.table import Screen, TableRow

READY_WORDS = ("", "prompt")
"""Causes of waiting that are no question."""
FAILURE_WORDS = ("error", "limit")
_FAILED_DOINGS = ("error", "killed", "gone")


class StatusRow(Struct, frozen=True, kw_only=True):
    """One session in the table."""

    name: str
    session: str
    state: str
    doing: str
    waiting_for: str = ""
    task: str = ""
    """Tool, question or task in work."""
    todos_done: int = 0
    todos_total: int = 0
    seconds: float = -1
    """Seconds in this state; negative: unknown."""
    source: str = ""
    """Source of the state."""
    agent: str = ""
    project: str = ""
    on_limit: str = ""
    """Effect of a usage limit: wait, stop."""

    @property
    def key(self) -> tuple[str, ...]:
        return self.state, self.doing, self.waiting_for

    @property
    def asks(self) -> bool:
        """Return True if the agent waits for an answer to a question."""
        return self.waiting_for not in (*READY_WORDS, *FAILURE_WORDS)


def build_row(status: Status, *, seconds: float, name: str = "", project: str = "", on_limit: str = "") -> StatusRow:
    task = status.state_detail or (status.active_task if status.todos_done < status.todos_total else "")
    return StatusRow(
        name=name or status.session,
        session=status.session,
        state=status.session_state,
        doing=status.agent_state,
        waiting_for=status.waiting_for,
        task=task,
        todos_done=status.todos_done,
        todos_total=status.todos_total,
        seconds=seconds,
        source=status.state_source,
        agent=status.agent,
        project=project,
        on_limit=on_limit,
    )


def mark_killed(row: StatusRow) -> StatusRow:
    """Return the row of a session that was ended on request."""
    return structs.replace(row, state="killed", doing="", waiting_for="", task="", seconds=-1, source="")


def seconds_in_state(status: Status, now: float) -> float:
    """Return the age of the deciding report, else that of the last output; negative if both are unknown."""
    times = [report.at for report in status.signals.reports if report.source == status.state_source and report.at]
    if times:
        return max(0.0, now - max(times))
    return float(status.output_age_seconds) if status.session_state != "not_found" else -1.0


def describe_activity(row: StatusRow) -> str:
    if not row.doing and not row.waiting_for:
        return ""
    if row.asks:
        return f"asks: {row.waiting_for}"
    if row.doing == "error" or row.waiting_for in FAILURE_WORDS:
        return "error" if row.waiting_for != "limit" else "limit reached"
    is_over = row.state in TERMINAL_STATES and row.doing in ("exited", "gone")
    return "" if row.doing == "unknown" or is_over else row.doing


_COLUMNS: tuple[tuple[str, int, Callable[[StatusRow], str]], ...] = (
    ("SESSION", 9, lambda row: row.name),
    ("PROJECT", 0, lambda row: row.project),
    ("AGENT", 0, lambda row: row.agent),
    ("STATE", 13, lambda row: row.state),
    ("DOING", 16, describe_activity),
    ("TODO", 4, lambda row: f"{row.todos_done}/{row.todos_total}" if row.todos_total else ""),
    ("FOR", 5, lambda row: table.format_age(row.seconds)),
    ("ON LIMIT", 0, lambda row: row.on_limit),
    ("SOURCE", 10, lambda row: row.source),
    ("DETAIL", 6, lambda row: row.task),
)
"""Heading, width in a table that is redrawn (0: not in it), and content of each column."""


def format_rows(rows: Sequence[StatusRow], screen: Screen, *, is_live: bool = False) -> list[str]:
    """Return the table; a live one keeps its columns, others omit empty ones."""
    if not rows:
        return []
    kept = [(heading, width, read) for heading, width, read in _COLUMNS if (width if is_live else any(map(read, rows)))]
    return table.format_table(
        [heading for heading, _, _ in kept],
        [
            TableRow(
                cells=tuple(read(row) for _, _, read in kept),
                style=table.ALERT if row.doing in _FAILED_DOINGS else table.state_style(row.state),
                mark="?" if row.asks else "●",
            )
            for row in rows
        ],
        screen,
        widths=[width for _, width, _ in kept] if is_live else (),
    )
