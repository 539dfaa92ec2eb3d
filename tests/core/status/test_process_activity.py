"""Process activity: synthetic trees first, then real sessions of real commands."""

from __future__ import annotations

import pytest

from lisa_py.core.status import process_activity
from lisa_py.core.status.process_activity import ActivityReading, make_report
from lisa_py.host.processes import Process
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

SUPERVISOR = ("/bin/sh", "/x/pane/supervisor.sh", "/f", "1", "interactive")
HEART = ("bash", "/x/pane/heartbeat.sh", "/f", "1", "5")


def process(pid: int, ppid: int, argv: tuple[str, ...], state: str = "S") -> Process:
    return Process(
        pid=pid, ppid=ppid, started=float(pid), name=argv[0].rpartition("/")[2], state=state, cpu_seconds=0, argv=argv
    )


def tree(*workload: Process, heart: bool = True) -> list[Process]:
    beat = [process(2, 1, HEART)] if heart else []
    return [process(1, 0, SUPERVISOR), *beat, process(4, 1, SUPERVISOR), *workload]


def test_supervisor_processes_are_not_part_of_the_command() -> None:
    shell, agent = process(5, 4, ("bash", "/f/command.sh")), process(6, 5, ("claude",))
    found = process_activity.split_tree(tree(shell, agent), "/f/command.sh")
    assert (found.workload, found.main, found.heartbeat_alive) == ((shell, agent), agent, True)


def test_command_that_replaced_its_shell_is_found() -> None:
    found = process_activity.split_tree(tree(process(5, 4, ("sleep", "9"))), "/f/command.sh")
    assert found.main is not None
    assert (found.main.pid, found.heartbeat_alive) == (5, True)


def test_shell_that_runs_its_command_itself_is_the_command() -> None:
    shell = process(5, 4, ("bash", "/f/command.sh"))
    assert process_activity.split_tree(tree(shell), "/f/command.sh").main == shell


def test_killed_heartbeat_is_detected() -> None:
    shell = process(5, 4, ("bash", "/f/command.sh"))
    assert not process_activity.split_tree(tree(shell, heart=False), "/f/command.sh").heartbeat_alive


def test_no_workload_before_the_command_starts() -> None:
    found = process_activity.split_tree(tree(), "/f/command.sh")
    assert (found.workload, found.main) == ((), None)


@pytest.mark.parametrize(
    ("heart", "child"),
    [
        (("/bin/sh", *HEART[1:]), ("sleep", "5")),  # without bash
        (("/bin/sh", *HEART[1:]), ("/bin/sh", *HEART[1:])),
        (SUPERVISOR, ("sleep", "4")),  # started by an earlier lisa
        (SUPERVISOR, ("touch", "-h", "/f/heartbeat")),
        (HEART, ("mkfifo", "/f/.beat/pipe")),
        (HEART, HEART),
    ],
)
def test_heartbeat_with_a_child_is_identified(heart: tuple[str, ...], child: tuple[str, ...]) -> None:
    shell, agent = process(5, 4, ("bash", "/f/command.sh")), process(6, 5, ("claude",))
    every = [process(1, 0, SUPERVISOR), process(2, 1, heart), process(4, 1, SUPERVISOR)]
    found = process_activity.split_tree([*every, process(3, 2, child), shell, agent], "/f/command.sh")
    assert (found.workload, found.main, found.heartbeat_alive) == ((shell, agent), agent, True)


def test_forking_heartbeat_is_not_part_of_the_command() -> None:
    shell, agent = process(5, 4, ("bash", "/f/command.sh")), process(6, 5, ("claude",))
    every = [process(1, 0, SUPERVISOR), process(2, 1, SUPERVISOR), process(4, 1, SUPERVISOR)]
    found = process_activity.split_tree([*every, process(3, 2, SUPERVISOR), shell, agent], "/f/command.sh")
    assert (found.workload, found.main, found.heartbeat_alive) == ((shell, agent), agent, True)
    pause = process(5, 4, ("sleep", "9"))
    assert process_activity.split_tree([*every, process(3, 2, SUPERVISOR), pause], "/f/command.sh").workload == (pause,)


def test_pane_without_supervisor_is_all_command() -> None:
    every = [process(1, 0, ("bash",)), process(2, 1, ("vim",))]
    assert process_activity.split_tree(every, "/f/command.sh").workload == tuple(every)


def seen(waits: str, *, running: bool = False, cpu: float = 0.0, others: tuple[Process, ...] = ()) -> ActivityReading:
    return ActivityReading(terminal_wait=waits, running=running, cpu=cpu, other_processes=others, name="x")


CHILD = process(9, 1, ("make",))


@pytest.mark.parametrize(
    ("reading", "quiet", "state"),
    [
        (seen("reading"), 0, "idle"),
        (seen("reading", others=(CHILD,)), 0, "idle"),
        (seen("reading", others=(CHILD,), cpu=0.5), 0, "tool"),
        (seen("reading", running=True), 0, "thinking"),
        (seen("no"), 999, "thinking"),
        (seen("no", others=(CHILD,)), 999, "tool"),
        (seen("polling"), 0, None),
        (seen("polling"), 4, "idle"),
        (seen("polling", cpu=0.2), 4, "thinking"),
        (seen("polling", others=(CHILD,)), 4, None),
        (seen("unknown"), 4, None),
        (seen("unknown"), 7, "idle"),
    ],
)
def test_report_of_an_activity_reading(reading: ActivityReading, quiet: float, state: str | None) -> None:
    made = make_report(reading, quiet)
    assert (made.state if made else None) == state


@pytest.mark.parametrize(
    ("name", "shell"), [("bash", True), ("-zsh", True), ("/bin/sh", True), ("ssh", False), ("mosh", False)]
)
def test_shell_is_identified_by_its_exact_name(name: str, shell: bool) -> None:
    assert process_activity.is_shell(process(1, 0, (name,))) == shell


SELECTING = "import selectors; s = selectors.DefaultSelector(); s.register(0, 1); s.select()"


# -- real ones ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("bash --norc -i", "interactive_shell_idle"),
        ("cat", "interactive_idle_cpu"),
        ("python3 -q", "interactive_idle_cpu"),
        ("read answer", "interactive_shell_idle"),
        (f"python3 -c {SELECTING!r}", "interactive_idle_cpu"),
    ],
)
def test_command_that_reads_its_terminal_waits_for_input(machine: LisaHost, command: str, reason: str) -> None:
    stage = SessionHarness(machine).run(command)
    wait_until(lambda: stage.status().session_state == "waiting_input", timeout=10)
    assert stage.status().classification_reason == reason


@pytest.mark.parametrize(
    "command", ["sleep 600", "exec sleep 600", "python3 -c 'while True: pass'", "while :; do sleep 0.2; done"]
)
def test_working_command_is_in_progress(machine: LisaHost, command: str) -> None:
    stage = SessionHarness(machine).run(command)
    wait_until(lambda: stage.status().session_state != "just_started")
    for _ in range(5):
        assert stage.status().session_state == "in_progress"


def test_shell_is_busy_while_its_command_runs(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("bash --norc -i")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    stage.send("sleep 1; echo ready-$((1 + 1))")
    assert wait_until(lambda: stage.status().classification_reason == "interactive_child_process")
    stage.wait_for_text("ready-2")
    assert wait_until(lambda: stage.status().classification_reason == "interactive_shell_idle")


def test_quiet_background_job_does_not_hide_an_idle_shell(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("sleep 600 & exec bash --norc -i")
    assert wait_until(lambda: stage.status().classification_reason == "interactive_shell_idle")
    busy = SessionHarness(machine, "lisa-stage-2").run("python3 -c 'while True: pass' & exec bash --norc -i")
    assert wait_until(lambda: busy.status().session_state == "in_progress")
