"""Commands that are called often import no slow module."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lisa_py import commands
from tests import answers
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
CALLS = {
    ("session", "exists"): ("--session", "lisa-a"),
    ("session", "status"): ("--session", "lisa-a", "--json"),
    ("session", "list"): ("--json",),
    ("session", "send"): ("--session", "lisa-none", "--text", "x", "--enter"),
    ("session", "spawn"): ("--session", "lisa-b", "--agent", "scripted", "--mode", "interactive"),
}
MOST_MODULES = {
    ("session", "exists"): 42,
    ("session", "status"): 77,
    ("session", "list"): 68,
    ("session", "send"): 94,
    ("session", "spawn"): 133,
}
"""Modules of lisa's own; each costs half a million instructions (decision 0017)."""
LOOK = """
import sys
from lisa_py.cli import start
start.load_msgspec()
from lisa_py.cli import main
main.main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("path", CALLS, ids=" ".join)
def test_frequent_calls_import_no_slow_module(path: tuple[str, str], machine: LisaHost) -> None:
    context = machine.context()
    server = context.tmux(context.project())
    server.new_session("lisa-a", ["/bin/sleep", "60"], root=str(machine.project), width=80, height=24)
    ended = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, *path, *CALLS[path]],
        cwd=machine.project, env=machine.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(ended.stderr.splitlines()[-1].split())
    assert "lisa_py.cli.main" in loaded
    assert loaded & HEAVY == set()
    own = sorted(name for name in loaded if name.startswith("lisa_py"))
    assert len(own) <= MOST_MODULES[path], f"import what few calls need in the function that needs it: {own}"


STARTS = """
import json, os, sys
import click
from lisa_py.cli import main  # all that is loaded before the command is known
for number, calls in enumerate(json.load(sys.stdin)):
    if not os.fork():
        for part, words in enumerate(calls):
            for handle, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(f"{number}.{part}.{name}", os.O_WRONLY | os.O_CREAT), handle)
            code = main.main(words)
            sys.stdout.flush()
            with open(f"{number}.{part}.code", "w") as file:
                file.write(str(code))
        os._exit(0)
    os.wait()
"""
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_each_command_starts_alone(part: int, machine: LisaHost) -> None:
    """Check the help and the JSON error of an unknown flag where no other command is loaded."""
    paths = commands.paths()[part::PARTS]
    calls = [[[*path, "--help"], [*path, "--no-such-flag", "--json"]] for path in paths]
    subprocess.run(
        [sys.executable, "-P", "-c", STARTS], input=json.dumps(calls),
        cwd=machine.project, env=machine.env, capture_output=True, text=True, check=True,
    )  # fmt: skip

    def read(number: int, part: int) -> tuple[int, str, str]:
        code, out, err = ((machine.project / f"{number}.{part}.{name}").read_text() for name in ("code", "out", "err"))
        return int(code), out, err

    for number, path in enumerate(paths):
        code, out, err = read(number, 0)
        assert (path, code, err) == (path, 0, "") and commands.summary(path) in out
        code, out, err = read(number, 1)
        answers.check_answer(calls[number][1], code, out)
        assert (path, code, err, json.loads(out)["errorCode"]) == (path, 1, "", "unknown_flag")


def test_a_command_starts_in_a_new_interpreter(machine: LisaHost) -> None:
    assert "Check if a session exists" in machine.lisa("session", "exists", "--help", cold=True).out
