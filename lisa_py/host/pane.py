"""A tmux pane, parsed from one line of `list-panes`."""

from __future__ import annotations

from msgspec import Struct

_PANE_FIELDS = (
    "session_name",
    "pane_id",
    "pane_pid",
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
    "alternate_on",
    "pane_in_mode",
    "window_activity",
    "history_size",
    "pane_height",
    "pane_width",
    "pane_title",
)
PANE_FORMAT = "\t".join(f"#{{{field}}}" for field in _PANE_FIELDS)


class Pane(Struct, frozen=True):
    """One pane, from tmux alone."""

    session: str
    pane_id: str
    pid: int
    dead: bool
    """The terminal is closed; tmux may not know the exit code yet."""
    dead_status: str
    dead_signal: str
    alternate: bool
    in_mode: bool
    activity: float
    """Unix seconds of the last output, whole seconds."""
    history: int
    """Lines above the screen."""
    height: int
    width: int
    title: str


def parse_pane(line: str) -> Pane | None:
    """Return the pane of a line in PANE_FORMAT, or None for any other line."""
    words = line.split("\t", len(_PANE_FIELDS) - 1)
    if len(words) != len(_PANE_FIELDS) or not words[0]:
        return None
    return Pane(
        session=words[0],
        pane_id=words[1],
        pid=int(words[2] or 0),
        dead=words[3] == "1",
        dead_status=words[4],
        dead_signal=words[5],
        alternate=words[6] == "1",
        in_mode=words[7] not in ("", "0"),
        activity=float(words[8] or 0),
        history=int(words[9] or 0),
        height=int(words[10] or 0),
        width=int(words[11] or 0),
        title=words[12],
    )
