"""Texts that resume the lost sessions at the start of the machine: a systemd user unit and a launchd agent."""

from __future__ import annotations

import os
import sys

import lisa_py
from lisa_py.contract.answer import Answer
from lisa_py.core.context import Context
from lisa_py.host.run import find_program

_VARIABLES = ("PATH", "LISA_STATE_DIR", "LISA_TMUX_SOCKET_DIR", "LISA_SHARED_DIR")
"""Variables of the caller that the command needs; agents get no other ones."""
LABEL = "lisa-resume"


class BootUnits(Answer):
    """Files to install by hand; nothing is written."""

    systemd: str
    systemd_path: str
    systemd_enable: str
    """Commands that enable it, also without a login."""
    launchd: str
    launchd_path: str
    launchd_enable: str


def build_boot_units(ctx: Context) -> BootUnits:
    """Return the units for this user, program and PATH."""
    command = (*_find_program(ctx), "session", "resume", "--all", "--all-projects")
    variables = {name: value for name in _VARIABLES if (value := ctx.settings.environ.get(name))}
    home = ctx.settings.home
    systemd_path = os.path.join(home, ".config/systemd/user", f"{LABEL}.service")
    launchd_path = os.path.join(home, "Library/LaunchAgents", f"{LABEL}.plist")
    return BootUnits(
        systemd=_build_systemd(command, variables),
        systemd_path=systemd_path,
        systemd_enable=f"systemctl --user enable {LABEL}.service && loginctl enable-linger",
        launchd=_build_launchd(command, variables),
        launchd_path=launchd_path,
        launchd_enable=f"launchctl bootstrap gui/{os.getuid()} {launchd_path}",
    )


def _find_program(ctx: Context) -> tuple[str, ...]:
    """Return the installed program, else this Python with this package."""
    found = find_program("lisa", ctx.settings.environ.get("PATH", os.defpath))
    if found:
        return (found,)
    above = os.path.dirname(os.path.dirname(lisa_py.__file__))
    code = f"import sys; sys.path.insert(0, {above!r}); from lisa_py.cli.main import entry; entry()"
    return (sys.executable, "-P", "-c", code)


def _build_systemd(command: tuple[str, ...], variables: dict[str, str]) -> str:
    lines = [
        "[Unit]",
        "Description=Resume the lost sessions of lisa",
        "",
        "[Service]",
        "Type=oneshot",
        "# the tmux servers stay in the unit: it remains active, and stopping it must not end them",
        "RemainAfterExit=yes",
        "KillMode=process",
        *(f"Environment={_quote_systemd(f'{name}={value}')}" for name, value in variables.items()),
        "ExecStart=" + " ".join(_quote_systemd(word).replace("$", "$$") for word in command),
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return "\n".join(lines)


def _quote_systemd(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _build_launchd(command: tuple[str, ...], variables: dict[str, str]) -> str:
    import plistlib  # noqa: PLC0415 - only --print-unit writes a property list

    values = {
        "Label": LABEL,
        "ProgramArguments": list(command),
        "EnvironmentVariables": variables,
        "RunAtLoad": True,
        "AbandonProcessGroup": True,  # else launchd ends the tmux servers with the command
    }
    return plistlib.dumps(values, sort_keys=False).decode()
