"""Search of planted secrets: in files, in tmux, in arguments of processes and in all output of a session."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lisa_py.host import processes
from tests.session_harness import SessionHarness

_TMUX_CALLS = (
    ("show-environment", "-g"),
    ("show-environment", "-t", "{name}"),
    ("show-options", "-g"),
    ("show-options", "-s"),
    ("show-hooks", "-g"),
    ("list-panes", "-a", "-F", "#{pane_start_command} #{pane_title} #{pane_current_command}"),
    ("list-buffers",),
)
OUTPUT = ("status", "capture", "history", "packet", "explain", "handoff")


def find_secrets(
    session: SessionHarness, secrets: Mapping[str, str], output: Sequence[str] = OUTPUT
) -> dict[str, list[str]]:
    """Return the places outside of the session's private files that hold a secret, plain or in base64."""
    folder = Path(session.ref.folder)
    private = (str(folder / "secrets"), str(folder / "masked.json"))
    host = session.machine
    found = {
        path: text
        for path, text in _read_files(
            host.folder / "state", host.home, host.folder / "tmp", host.folder / "shared"
        ).items()
        if not path.startswith(private)
    }
    for command in output:
        answer = session.lisa(command, check_schema=False)
        found[command] = answer.out + answer.err
    for call in _TMUX_CALLS:
        words = [word.format(name=session.name) if "#" not in word else word for word in call]
        ran = subprocess.run(
            ["tmux", "-S", session.ref.project.socket, *words],
            capture_output=True,
            text=True,
            check=False,
            env=host.env,
        )
        found[f"tmux {' '.join(words)}"] = ran.stdout + ran.stderr
    meta = session.ctx.read_meta(session.ref)
    for process in processes.read_tree(meta.pane_pid) if meta else ():
        found[f"arguments of {process.pid}"] = " ".join(process.argv)
    holding = {place: [name for name, value in secrets.items() if _holds(text, value)] for place, text in found.items()}
    return {place: names for place, names in holding.items() if names}


def _holds(text: str, value: str) -> bool:
    return value in text or base64.b64encode(value.encode()).decode().rstrip("=") in text


def _read_files(*folders: Path) -> dict[str, str]:
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): path.read_bytes().decode("utf-8", "replace") for path in paths}
