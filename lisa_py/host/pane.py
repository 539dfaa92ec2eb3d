"""A tmux pane, parsed from one line of `list-panes`."""

from __future__ import annotations

from msgspec import Struct

_PANE_FIELDS = (
    "session_name",
    "session_id",
    "pid",
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
    session_id: str = ""
    """`$N`; it stays when the session is renamed."""
    server_pid: int = 0
    """Process id of the tmux server."""


def parse_pane(line: str) -> Pane | None:
    """Return the pane of a line in PANE_FORMAT, or None for any other line."""
    words = line.split("\t", len(_PANE_FIELDS) - 1)
    if len(words) != len(_PANE_FIELDS) or not words[0]:
        return None
    return Pane(
        session=words[0],
        session_id=words[1],
        server_pid=int(words[2] or 0),
        pane_id=words[3],
        pid=int(words[4] or 0),
        dead=words[5] == "1",
        dead_status=words[6],
        dead_signal=words[7],
        alternate=words[8] == "1",
        in_mode=words[9] not in ("", "0"),
        activity=float(words[10] or 0),
        history=int(words[11] or 0),
        height=int(words[12] or 0),
        width=int(words[13] or 0),
        title=words[14],
    )
