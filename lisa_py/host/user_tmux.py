"""List the sessions of the user's own tmux server, without starting or changing it."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host.env import Settings
from lisa_py.host.run import find_program, run_program
from lisa_py.host.tmux import is_server_absent, retry_while_server_ends


class UserTmuxReport(Struct, frozen=True):
    """Sessions of the default server."""

    state: str
    """ok, no_server, or error."""
    sessions: tuple[str, ...] = ()
    problem: str = ""


def list_sessions(settings: Settings) -> UserTmuxReport:
    """Return the sessions of the server that a plain `tmux` in this environment uses, TMUX_TMPDIR included."""
    program = find_program("tmux", settings.get("PATH", os.defpath))
    if not program:
        return UserTmuxReport("error", problem="tmux is not on PATH")
    if not os.path.lexists(socket_path(settings)):  # the call would create the folder
        return UserTmuxReport("no_server")
    env = {name: value for name, value in settings.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    argv = [program, "list-sessions", "-F", "#S"]
    result = retry_while_server_ends(lambda: run_program(argv, timeout=settings.cmd_timeout_seconds, env=env))
    if result.code is None:
        return UserTmuxReport("error", problem=f"tmux did not answer within {settings.cmd_timeout_seconds} s")
    if result.code == 0:
        return UserTmuxReport("ok", tuple(line for line in result.text.splitlines() if line.strip()))
    if is_server_absent(result):
        return UserTmuxReport("no_server")
    return UserTmuxReport("error", problem=f"tmux answered: {result.error_text or 'nothing'}")


def socket_path(settings: Settings) -> str:
    """Return the socket of the default server; like tmux, ignore a TMUX_TMPDIR that is not a folder."""
    wanted = settings.get("TMUX_TMPDIR")
    base = wanted if wanted and os.path.isdir(wanted) else "/tmp"
    return os.path.join(base, f"tmux-{os.getuid()}", "default")


def set_option(settings: Settings, name: str, value: str | None) -> None:
    """Set a global option of the tmux that this process runs in; None removes it. Raise LisaError(not_in_tmux)."""
    socket = settings.get("TMUX").split(",")[0]
    program = find_program("tmux", settings.get("PATH", os.defpath))
    if not socket or not program:
        raise LisaError("not_in_tmux", "the sink tmux needs lisa watch to run inside tmux")
    words = ["set-option", "-gu", name] if value is None else ["set-option", "-g", name, value]
    result = run_program([program, "-S", socket, *words], timeout=settings.cmd_timeout_seconds)
    if result.code != 0:
        raise LisaError("not_in_tmux", f"tmux refused the option {name}: {result.error_text or 'no answer'}")
