"""The user's own tmux server (never lisa's): which sessions run on it; it is asked, never started or changed."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.host.env import Settings
from lisa_py.host.run import find_program, run
from lisa_py.host.tmux import absent, settled


class Probe(Struct, frozen=True):
    """What the default server answered."""

    state: str
    """ok, no_server, or error when it cannot be told."""
    sessions: tuple[str, ...] = ()
    problem: str = ""


def sessions(settings: Settings) -> Probe:
    """Sessions of the server a plain `tmux` would talk to from this environment, TMUX_TMPDIR included."""
    program = find_program("tmux", settings.get("PATH", os.defpath))
    if not program:
        return Probe("error", problem="tmux is not on PATH")
    if not os.path.lexists(socket(settings)):  # asking would make the folder
        return Probe("no_server")
    env = {name: value for name, value in settings.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    listing = [program, "list-sessions", "-F", "#S"]
    ended = settled(lambda: run(listing, timeout=settings.cmd_timeout_seconds, env=env))
    if ended.code is None:
        return Probe("error", problem=f"tmux did not answer within {settings.cmd_timeout_seconds} s")
    if ended.code == 0:
        return Probe("ok", tuple(line for line in ended.text.splitlines() if line.strip()))
    if absent(ended):
        return Probe("no_server")
    return Probe("error", problem=f"tmux answered: {ended.complaint or 'nothing'}")


def socket(settings: Settings) -> str:
    """Where the default server listens; a TMUX_TMPDIR that is no folder is passed over, as tmux does."""
    wanted = settings.get("TMUX_TMPDIR")
    base = wanted if wanted and os.path.isdir(wanted) else "/tmp"
    return os.path.join(base, f"tmux-{os.getuid()}", "default")
