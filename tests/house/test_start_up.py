"""Commands that only read import no slow module."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lisa_py import commands
from tests.lisa_host import LisaHost

HEAVY = {
    "asyncio",
    "click",
    "dataclasses",
    "decimal",
    "filelock",
    "hashlib",
    "http",
    "importlib.metadata",
    "inspect",
    "libtmux",
    "logging",
    "multiprocessing",
    "orjson",
    "pathlib",
    "platform",
    "prompt_toolkit",
    "psutil",
    "secrets",
    "shutil",
    "socket",
    "tempfile",
    "textwrap",
    "urllib",
    "uuid",
    "watchdog",
}
READS = {
    ("session", "exists"): ("--session", "lisa-a"),
    ("session", "status"): ("--session", "lisa-a", "--json"),
    ("session", "list"): ("--json",),
    ("session", "send"): ("--session", "lisa-none", "--text", "x", "--enter"),
}
LOOK = """
import sys
from lisa_py.cli import start
start.load_msgspec()
from lisa_py.cli import main
main.main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("path", READS, ids=" ".join)
def test_reads_import_no_slow_module(path: tuple[str, str], machine: LisaHost) -> None:
    if commands.load(path) is None:
        pytest.skip("not there yet")
    context = machine.context()
    server = context.tmux(context.project())
    server.new_session("lisa-a", ["/bin/sleep", "60"], root=str(machine.project), width=80, height=24)
    ended = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, *path, *READS[path]],
        cwd=machine.project, env=machine.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(ended.stderr.splitlines()[-1].split())
    assert "lisa_py.cli.main" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("path", commands.paths(), ids=" ".join)
def test_each_command_starts_in_a_new_interpreter(path: tuple[str, ...], machine: LisaHost) -> None:
    """Check the help and the JSON error of an unknown flag in a new process, as users start it."""
    help_page = machine.lisa(*path, "--help", cold=True)
    assert (help_page.code, help_page.err) == (0, "") and commands.summary(path) in help_page.out
    refusal = machine.lisa(*path, "--no-such-flag", "--json", cold=True)
    assert (refusal.code, refusal.json["errorCode"]) == (1, "unknown_flag")
