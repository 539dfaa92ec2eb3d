"""A program in front of the agent: it reads the agent's terminal, and is more than a fork of the agent."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from msgspec import structs

from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.input_block import find_foreground_program
from lisa_py.host import processes
from tests.polling import wait_until

pytestmark = pytest.mark.skipif(not processes.LINUX, reason="the files of other processes are known on Linux alone")

Start = Callable[[str], Evidence]
WAIT = "import os, time; pid = os.fork(); {child}; time.sleep(60)"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python program with one child on a terminal of its own; return it as the evidence of a session."""
    main, terminal = pty.openpty()
    running: list[subprocess.Popen[bytes]] = []

    def started(child: str) -> Evidence:
        argv = [sys.executable, "-c", WAIT.format(child=child)]
        running.append(subprocess.Popen(argv, stdin=terminal, start_new_session=True))
        tree = wait_until(lambda: (found := processes.read_tree(running[-1].pid)) and len(found) > 1 and found)
        return Evidence(session="lisa-x", agent_process=tree[0], workload=tree)

    yield started
    for process in running:
        os.killpg(process.pid, 9)
        process.wait()
    os.close(main)
    os.close(terminal)


def test_child_on_the_terminal_is_named(start: Start) -> None:
    evidence = start("pid or os.execvp('sleep', ['sleep', '60'])")
    wait_until(lambda: _read_again(evidence) == "sleep")


def test_fork_of_the_agent_is_not_a_program(start: Start) -> None:
    evidence = start("pass")
    assert processes.terminal_input(evidence.workload[1].pid) == processes.terminal_input(evidence.workload[0].pid)
    assert find_foreground_program(evidence) == ""


def test_child_with_other_input_is_not_a_program(start: Start) -> None:
    evidence = start("pid or os.execvp('sh', ['sh', '-c', 'exec sleep 60 </dev/null'])")
    wait_until(lambda: processes.read_tree(evidence.workload[0].pid)[1].name == "sleep")
    assert _read_again(evidence) == ""


def _read_again(evidence: Evidence) -> str:
    assert evidence.agent_process is not None
    return find_foreground_program(structs.replace(evidence, workload=processes.read_tree(evidence.agent_process.pid)))
