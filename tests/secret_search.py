"""Search of planted secrets: in files, in tmux, in processes and in all output of a session."""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

_TMUX_CALLS = (
    ("show-environment", "-g"),
    ("show-environment", "-t", "{name}"),
    ("show-options", "-g"),
    ("show-options", "-s"),
    ("show-options", "-w"),
    ("show-hooks", "-g"),
    ("show-messages",),
    ("list-panes", "-a", "-F", "#{pane_start_command} #{pane_title} #{pane_current_command}"),
    ("display-message", "-a", "-p", "-t", "{name}"),
    ("list-buffers",),
)
OUTPUT = ("status", "capture", "history", "packet", "explain", "handoff")
PRIVATE = re.compile(r"/sessions/([^/]+)/(secrets/.*|masked\.json)$")
"""The own files of a session, mode 0600, removed with it."""


def find_secrets(
    session: SessionHarness, secrets: Mapping[str, str], output: Sequence[str] = OUTPUT
) -> dict[str, list[str]]:
    """Return the places outside of the session's private files that hold a secret, plain or in base64."""
    folder = str(session.ref.folder)
    found = {
        path: text
        for path, text in read_files(session.machine).items()
        if not (path.startswith(folder) and PRIVATE.search(path))
    }
    for command in output:
        answer = session.lisa(command, check_schema=False)
        found[command] = answer.out + answer.err
    found |= read_tmux(session) | read_processes(session.machine)
    return find_in(found, secrets)


def find_in(texts: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the places that hold a secret, with the names of those."""
    holding = {place: [name for name, value in secrets.items() if _holds(text, value)] for place, text in texts.items()}
    return {place: names for place, names in holding.items() if names}


def _holds(text: str, value: str) -> bool:
    return value in text or base64.b64encode(value.encode()).decode().rstrip("=") in text


def read_files(machine: LisaHost) -> dict[str, str]:
    """Return every file that lisa, its agents or its tests have written on a host."""
    folders = (machine.folder / "state", machine.home, machine.folder / "tmp", machine.folder / "shared")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): path.read_bytes().decode("utf-8", "replace") for path in paths}


def read_tmux(session: SessionHarness) -> dict[str, str]:
    """Return what tmux shows of a session to the processes in all its panes."""

    def ask(*words: str) -> str:
        ran = subprocess.run(
            ["tmux", "-S", session.ref.project.socket, *words],
            capture_output=True, text=True, check=False, env=session.machine.env,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    calls = [[word.format(name=session.name) if "#" not in word else word for word in call] for call in _TMUX_CALLS]
    calls += [["show-buffer", "-b", name] for name in ask("list-buffers", "-F", "#{buffer_name}").split()]
    return {f"tmux {' '.join(words)}": ask(*words) for words in calls}


def read_processes(machine: LisaHost) -> dict[str, str]:
    """Return the arguments of all processes of a host, and the environments of those that no agent has started."""
    found: dict[str, str] = {}
    for process in psutil.process_iter():
        try:
            environment, words = process.environ(), process.cmdline()
            if environment.get("HOME") != str(machine.home):
                continue
            is_private = any(map(_is_agent, (process, *process.parents())))
        except psutil.Error:
            continue
        name = f"{process.pid} {' '.join(words)[:80]}"
        found[f"arguments of {name}"] = " ".join(words)
        if not is_private:
            found[f"environment of {name}"] = "\0".join(map("=".join, environment.items()))
        assert Path(f"/proc/{process.pid}/environ").stat().st_mode & 0o077 == 0
    return found


def _is_agent(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "LISA_SESSION_DIR" in process.environ()
    return False
