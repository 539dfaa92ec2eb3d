"""Check that this machine has everything that sessions need, and can run one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch
from lisa_py.core.status import lost_sessions
from lisa_py.host import files
from lisa_py.host.run import find_program, run_program
from lisa_py.host.sockets import SOCKET_PATH_MAX
from lisa_py.host.tmux import Tmux

MIN_TMUX_VERSION = (3, 2)
PROBE_SECONDS = 5.0
LOGIN_SECONDS = 3.0
"""Time limit for the start of a login shell."""


class ProgramCheck(Answer):
    """One required program."""

    name: str
    available: bool
    path: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    version: str | UnsetType = UNSET


class MachineCheck(Answer):
    """One property of this machine."""

    name: str
    ok: bool
    detail: str
    advisory: bool | UnsetType = UNSET
    """True if a failed check alone does not prevent sessions."""

    @property
    def passes(self) -> bool:
        """True if nothing prevents sessions here."""
        return self.ok or self.advisory is True


def check_programs(ctx: Context, *, versions: bool = True) -> list[ProgramCheck]:
    """Check tmux and every agent on the PATH of the caller."""
    return [
        _check_tmux(ctx, versions),
        *(_check_agent(ctx, name, versions) for name in agents.names() if _is_visible(name)),
    ]


def is_ready(checks: list[ProgramCheck]) -> bool:
    """Return True if tmux and at least one agent were found."""
    tmux, *others = checks
    return tmux.available and any(check.available for check in others)


def _is_visible(name: str) -> bool:
    return not agents.get(name).hidden


def _check_tmux(ctx: Context, versions: bool) -> ProgramCheck:
    path = find_program("tmux", ctx.settings.get("PATH", os.defpath))
    if not path:
        return ProgramCheck(name="tmux", available=False, error="tmux is not on PATH; install tmux 3.2 or newer")
    return ProgramCheck(name="tmux", available=True, path=path, version=read_tmux_version(path) if versions else UNSET)


def read_tmux_version(path: str) -> str:
    """Return the version from `tmux -V` without the word tmux; empty if unknown."""
    try:
        return run_program([path, "-V"], timeout=PROBE_SECONDS).text.strip().removeprefix("tmux ")
    except OSError:
        return ""


def _check_agent(ctx: Context, name: str, versions: bool) -> ProgramCheck:
    agent = agents.get(name)
    path = launch.find_binary(agent, ctx.settings.environ)
    if not path:
        return ProgramCheck(name=name, available=False, error=f"{' or '.join(agent.binaries)} is not on PATH")
    facts = launch.read_facts(ctx, agent) if versions else None
    return ProgramCheck(name=name, available=True, path=path, version=(facts.version if facts else "") or UNSET)


def check_machine(ctx: Context, tmux: ProgramCheck) -> list[MachineCheck]:
    """Test what sessions need on this machine."""
    return list(_iterate_machine_checks(ctx, tmux))


def _iterate_machine_checks(ctx: Context, tmux: ProgramCheck) -> Iterator[MachineCheck]:
    socket = ctx.project().socket
    if tmux.available:
        yield _check_tmux_version(tmux.version or "")
    yield _check_socket_path(ctx, socket)
    if tmux.available:
        yield _check_session(ctx, os.path.dirname(socket))
    yield _check_state_dir(ctx.settings.state_dir)


def _check_state_dir(state: str) -> MachineCheck:
    """Write to the folder if it exists: a full disk is not visible otherwise."""
    error = "" if files.is_writable(state) else f"{state} cannot be written"
    if not error and files.is_dir(state):
        probe = os.path.join(state, f"doctor-{os.getpid():08x}")
        try:
            files.write(probe, b"x" * 4096)
            files.remove(probe)
        except (LisaError, OSError) as problem:
            error = str(problem)
    return MachineCheck(name="state_dir", ok=not error, detail=f"{error}; set LISA_STATE_DIR" if error else state)


def check_login_shell(ctx: Context) -> MachineCheck:
    """Check that an agent with tools in a login shell finds lisa there: only nested sessions need it."""
    path = ctx.settings.get("PATH", os.defpath)
    shell = find_program("bash", path) or "/bin/sh"
    words = [shell, "-lc", "printf 'lisa=%s\\n' \"$(command -v lisa)\""]
    try:
        ended = run_program(words, timeout=LOGIN_SECONDS, env=ctx.settings.environ, group=True)
    except OSError as problem:
        return _build_shell_warning(f"{shell} cannot be run: {problem.strerror}")
    shell_label = f"`{os.path.basename(shell)} -lc`"
    if ended.code is None:
        return _build_shell_warning(
            f"{shell_label} did not come up within {LOGIN_SECONDS:.0f} s; "
            "agents that run their tools in one will be slow"
        )
    found = re.findall(r"^lisa=(/.*)$", ended.text, re.MULTILINE)
    if found:
        return MachineCheck(name="login_shell", ok=True, detail=found[-1])
    return _build_shell_warning(
        f"{shell_label} does not find lisa, so agents that run their tools in one cannot call it (nested sessions); "
        "put a link to it into a folder on that PATH"
    )


def check_lost_sessions(ctx: Context) -> MachineCheck:
    """Count the lost sessions of all projects."""
    lost = lost_sessions.find_lost_entries(ctx, None)
    line = command_line.build("session resume", all=True, all_projects=True)
    detail = f"{len(lost)}; {line} brings them back" if lost else "none"
    return MachineCheck(name="lost_sessions", ok=not lost, detail=detail, advisory=True)


def _build_shell_warning(detail: str) -> MachineCheck:
    return MachineCheck(name="login_shell", ok=False, detail=detail, advisory=True)


def _check_tmux_version(version: str) -> MachineCheck:
    number = re.search(r"(\d+)\.(\d+)", version)
    if number is None:
        return MachineCheck(
            name="tmux_version", ok=True, detail=f"{version or 'unknown'}: not a release; known faults unknown"
        )
    release = (int(number[1]), int(number[2]))
    if release < MIN_TMUX_VERSION:
        return MachineCheck(name="tmux_version", ok=False, detail=f"{version}: too old, lisa needs 3.2 or newer")
    hazards = ["attaching in control mode can end the server (lisa does not)"]
    if release < (3, 5):
        hazards.insert(0, "pasting into a dead pane ends the server (lisa asks first)")
        hazards.insert(1, "exits of panes get lost (lisa keeps its own record)")
    return MachineCheck(name="tmux_version", ok=True, detail=f"{version}: " + "; ".join(hazards))


def _check_socket_path(ctx: Context, socket: str) -> MachineCheck:
    length, wanted = len(os.fsencode(socket)), os.path.dirname(socket)
    moved = "" if wanted == ctx.settings.tmux_socket_dir else f" (moved: {ctx.settings.tmux_socket_dir} is too long)"
    return MachineCheck(
        name="socket_path",
        ok=length <= SOCKET_PATH_MAX,
        detail=f"{socket}: {length} of {SOCKET_PATH_MAX} bytes{moved}",
    )


def _check_session(ctx: Context, folder: str) -> MachineCheck:
    """Start and end a session on the socket folder."""
    server = Tmux(os.path.join(folder, f"lisa-tmux-doctor-{os.getpid():08x}.sock"), ctx.settings)
    try:
        if not files.is_dir(folder):
            files.ensure_private_dir(folder)
        server.new_session("lisa-doctor", ["/bin/sleep", "60"], root="/", width=80, height=24)
    except LisaError as problem:
        detail = f"no session can be created in {folder}: {problem.message} (LISA_TMUX_SOCKET_DIR names another folder)"
        return MachineCheck(name="session", ok=False, detail=detail)
    finally:
        _stop_server(server)
    return MachineCheck(name="session", ok=True, detail=f"a session was created in {folder} and ended")


def _stop_server(server: Tmux) -> None:
    try:
        server.kill_server()
        files.remove(server.socket)
    except (LisaError, OSError):
        pass
