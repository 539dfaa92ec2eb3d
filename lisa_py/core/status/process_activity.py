"""Derive activity from processes: terminal waits, running state and CPU use."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.status import AgentReport
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.host import processes
from lisa_py.host.clock import Clock
from lisa_py.host.processes import Process

SAMPLE_SECONDS = 0.08
BUSY_SHARE = 0.05
"""Of one core; an idle terminal program that redraws uses about 0.01."""
MIN_CPU_TICKS = 0.02
"""CPU seconds below which two snapshots show no use of the CPU: the clock ticks in hundredths."""
QUIET_SECONDS = 3.0
"""A program that polls its terminal among other things is idle if its pane is unchanged for so long."""
QUIET_UNKNOWN_SECONDS = 6.0
"""The same if the system does not report what a process waits for."""
HEARTBEAT_SHELL = "bash"
"""Shell of heartbeat.sh, where it is installed."""
HEARTBEAT_COMMANDS = ("sleep", "touch", "mkdir", "ln", "mkfifo")
"""Programs of the supervisor's heartbeat loop, and of one that an earlier lisa started."""


class PaneProcesses(Struct, frozen=True):
    """A pane's process tree without the supervisor's own processes."""

    workload: tuple[Process, ...]
    main: Process | None
    """The command's first process (below the shell that reads command.sh)."""
    heartbeat_alive: bool


class ActivityReading(Struct):
    """Terminal waits of a command's processes, and the CPU they used since the previous read."""

    terminal_wait: str
    """reading, polling, unknown or no: the first of these that holds for any process."""
    running: bool
    other_processes: tuple[Process, ...] = ()
    """Processes besides the one at the terminal and its parents."""
    sampled: tuple[Process, ...] = ()
    name: str = ""
    cpu: float = 0.0
    """Share of a core over the sample; 0 when none was needed."""


def split_tree(tree: Sequence[Process], command: str) -> PaneProcesses:
    """Separate the command's processes from the supervisor's; a pane without supervisor has only the former.

    The tree needs no command lines: the few that matter are read here.
    """
    root = processes.add_argv(tree[0])
    if not (len(root.argv) > 1 and os.path.basename(root.argv[1]) == "supervisor.sh"):
        return PaneProcesses((root, *tree[1:]), root, False)
    subshells = sorted(
        (
            process
            for process in tree[1:]
            if process.ppid == root.pid and process.name in (root.name, HEARTBEAT_SHELL) and process.alive
        ),
        key=lambda process: (process.started, process.pid),
    )
    heartbeat_loops = [part for part in subshells if _is_heartbeat_loop(part, tree, root)]
    if len(heartbeat_loops) == 2:  # the command itself is `sleep`: the loop was started first
        heartbeat_loops = heartbeat_loops[:1]
    command_roots = [part for part in subshells if part not in heartbeat_loops]
    workload = _find_descendants({part.pid for part in command_roots}, tree)
    if workload:
        workload[0] = processes.add_argv(workload[0])
        if workload[0].argv == root.argv:  # a fork of the supervisor before its exec
            workload = []
    return PaneProcesses(tuple(workload), _find_main_process(workload, command), bool(heartbeat_loops))


def _is_heartbeat_loop(part: Process, tree: Sequence[Process], root: Process) -> bool:
    """Return True for the shell of heartbeat.sh, also before its exec: a subshell whose children are all its own."""
    return part.name != root.name or all(
        _is_heartbeat_child(process, root) for process in tree if process.ppid == part.pid
    )


def _is_heartbeat_child(process: Process, root: Process) -> bool:
    """Return True for a child of the heartbeat loop: one of its programs, or the fork before their exec."""
    if process.name in HEARTBEAT_COMMANDS or process.name != root.name:
        return process.name in HEARTBEAT_COMMANDS
    now = process if process.argv else processes.read_process(process.pid)
    if now is None or now.name in HEARTBEAT_COMMANDS or now.argv == root.argv:
        return True
    return os.path.basename("".join(now.argv[1:2])) == "heartbeat.sh"


def _find_descendants(roots: set[int], tree: Sequence[Process]) -> list[Process]:
    inside, found = set(roots), []
    for process in tree:  # parents precede their children
        if process.ppid in inside and process.alive:
            inside.add(process.pid)
            found.append(process)
    return found


def _find_main_process(workload: Sequence[Process], command: str) -> Process | None:
    if not workload:
        return None
    first = workload[0]
    if command in first.argv[1:3]:
        return next((process for process in workload if process.ppid == first.pid), first)
    return first


def read_activity(workload: Sequence[Process], main: Process | None = None) -> ActivityReading:
    """Read the terminal waits of a command's processes."""
    ranks = {"reading": 0, "polling": 1, "unknown": 2, "no": 3}
    best, holder = "no", main or workload[0]
    for process in reversed(workload):
        waits = processes.terminal_wait(process)
        if ranks[waits] < ranks[best]:
            best, holder = waits, process
    ancestors = _find_ancestors(holder, workload)
    others = tuple(process for process in workload if process.pid not in ancestors)
    running = any(process.state in ("R", "D") for process in workload)
    reading = ActivityReading(terminal_wait=best, running=running, other_processes=others, name=holder.name)
    if best == "reading":
        reading.sampled = others
    elif best in ("polling", "unknown"):
        reading.sampled = tuple(workload)
    return reading


def _find_ancestors(process: Process, workload: Sequence[Process]) -> set[int]:
    known = {item.pid: item for item in workload}
    ancestors: set[int] = set()
    current: Process | None = process
    while current is not None and current.pid not in ancestors:
        ancestors.add(current.pid)
        current = known.get(current.ppid)
    return ancestors


def sample_cpu(readings: Sequence[ActivityReading], clock: Clock, cache: PollCache | None) -> None:
    """Set the CPU shares: since the cached read, else over one short pause for all."""
    sampled = [process for reading in readings for process in reading.sampled]
    if not sampled:
        return
    before = cache.cpu_samples if cache is not None else {}
    if any((process.pid, process.started) not in before for process in sampled):
        began = clock.monotonic()
        before = {**before, **{(item.pid, item.started): (began, processes.cpu_seconds(item)) for item in sampled}}
        clock.sleep(SAMPLE_SECONDS)
    now = clock.monotonic()
    after = {(item.pid, item.started): (now, processes.cpu_seconds(item)) for item in sampled}
    for reading in readings:
        reading.cpu = sum(
            _cpu_share(before[item.pid, item.started], after[item.pid, item.started]) for item in reading.sampled
        )
    if cache is not None:
        cache.keep_cpu_samples(after)


def _cpu_share(before: tuple[float, float], after: tuple[float, float]) -> float:
    seconds = after[0] - before[0]
    return max(0.0, after[1] - before[1]) / seconds if seconds > 0 else 0.0


def make_report(reading: ActivityReading, quiet: float) -> AgentReport | None:
    """Return a report that the command is idle or busy, or None if the reading is inconclusive.

    `quiet` is the time in seconds since the pane last changed; 0 if unknown.
    """
    if reading.running or reading.cpu >= BUSY_SHARE:
        return _make_busy_report(reading, "uses CPU")
    if reading.terminal_wait == "reading":
        return AgentReport(
            source="activity", state="idle", waiting_for="prompt", detail=f"{reading.name} reads its terminal"
        )
    if reading.terminal_wait == "no":
        return _make_busy_report(reading, "does not read its terminal")
    required_quiet = QUIET_SECONDS if reading.terminal_wait == "polling" else QUIET_UNKNOWN_SECONDS
    if quiet >= required_quiet and not reading.other_processes:
        return AgentReport(source="activity", state="idle", detail=f"{reading.name} is quiet at its terminal")
    return None


def _make_busy_report(reading: ActivityReading, why: str) -> AgentReport:
    if reading.other_processes:
        return AgentReport(source="activity", state="tool", detail=f"{reading.other_processes[-1].name} runs")
    return AgentReport(source="activity", state="thinking", detail=f"{reading.name} {why}")


def is_shell(process: Process | None) -> bool:
    """Return True for an interactive shell, by the exact name of its executable."""
    if process is None:
        return False
    first = process.argv[0] if process.argv else process.name
    return os.path.basename(first).lstrip("-").lower() in processes.SHELLS


class ActivitySnapshot(Struct, frozen=True):
    """A cheap summary of what a command's processes do; it changes if their state may have changed."""

    pids: tuple[int, ...]
    waits: tuple[tuple[str, str], ...]
    """Name and terminal wait of each process; the wait is empty while they use CPU."""
    written: int
    """Bytes they have written."""
    cpu_seconds: float
    at: float

    def differs_from(self, earlier: ActivitySnapshot, *, output: bool) -> bool:
        """Return True if the activity differs; with `output` also after any output."""
        return self.waits != earlier.waits or (output and self.written != earlier.written)


def take_snapshots(
    workloads: Sequence[Sequence[Process]], clock: Clock, earlier: Sequence[ActivitySnapshot | None]
) -> list[ActivitySnapshot]:
    """Return what each command's processes do now, without a call to tmux."""
    roots = [_find_roots(workload) for workload in workloads]
    trees = processes.read_trees([pid for pids in roots for pid in pids], argv=False)
    now = clock.monotonic()
    return [
        _take_snapshot([process for pid in pids for process in trees.get(pid, ())], now, before)
        for pids, before in zip(roots, earlier, strict=True)
    ]


def _find_roots(workload: Sequence[Process]) -> list[int]:
    pids = {process.pid for process in workload}
    return [process.pid for process in workload if process.ppid not in pids]


def _take_snapshot(tree: Sequence[Process], now: float, before: ActivitySnapshot | None) -> ActivitySnapshot:
    used = sum(process.cpu_seconds for process in tree)
    busy = before is not None and used - before.cpu_seconds >= max(MIN_CPU_TICKS, BUSY_SHARE * (now - before.at))
    pids = tuple(process.pid for process in tree)
    waits = tuple((process.name, "" if busy else processes.terminal_wait(process)) for process in tree)
    written = sum(processes.written_bytes(pid) for pid in pids)
    return ActivitySnapshot(pids, waits, written, used, now)
