"""What processes show by themselves: who waits for the terminal, who runs, who uses CPU just now."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.status import AgentReport
from lisa_py.core.watch.memory import Memory
from lisa_py.host import processes
from lisa_py.host.clock import Clock
from lisa_py.host.processes import Process

SAMPLE_SECONDS = 0.08
BUSY_SHARE = 0.05
"""Of one core; an idle terminal program that redraws uses about 0.01."""
QUIET_SECONDS = 3.0
"""A program that has its terminal among other things to wait for is at rest when its pane is still for so long."""
QUIET_UNKNOWN_SECONDS = 6.0
"""The same where the machine does not tell what a process waits for."""
BEATS = ("sleep", "touch")
"""What the supervisor's heartbeat loop runs."""
SHELLS = frozenset(
    (
        *("ash", "bash", "dash", "elvish", "fish", "ion", "ksh", "mksh", "nu"),
        *("pdksh", "powershell", "pwsh", "sh", "tcsh", "csh", "xonsh", "yash", "zsh"),
    )
)


class Split(Struct, frozen=True):
    """A pane's process tree, told apart into the supervisor's own processes and the command's."""

    workload: tuple[Process, ...]
    main: Process | None
    """The command's first process (below the shell that reads command.sh)."""
    beating: bool


class Seen(Struct):
    """One look at what a command's processes wait for, and the CPU they used since the look before."""

    waits: str
    """reading, polling, no or unknown: the nearest any of them is to reading the terminal."""
    running: bool
    others: tuple[Process, ...] = ()
    """Processes besides the one at the terminal and its parents."""
    sampled: tuple[Process, ...] = ()
    name: str = ""
    cpu: float = 0.0
    """Share of a core over the sample; 0 when none was needed."""


def split(tree: Sequence[Process], command: str) -> Split:
    """Tell the command's processes from the supervisor's; a pane without supervisor is all command.

    The tree may come without command lines: only those that are needed are read.
    """
    root = processes.with_argv(tree[0])
    if not (len(root.argv) > 1 and os.path.basename(root.argv[1]) == "supervisor.sh"):
        return Split((root, *tree[1:]), root, False)
    parts = sorted(
        (process for process in tree[1:] if process.ppid == root.pid and process.name == root.name and process.alive),
        key=lambda process: (process.started, process.pid),
    )
    hearts = [part for part in parts if _beats(part, tree, root)]
    if len(hearts) == 2:  # the command is itself a pause: the loop was started first
        hearts = hearts[:1]
    witnesses = [part for part in parts if part not in hearts]
    workload = _below({part.pid for part in witnesses}, tree)
    if workload:
        workload[0] = processes.with_argv(workload[0])
        if workload[0].argv == root.argv:  # the supervisor is just about to become the command
            workload = []
    return Split(tuple(workload), _main(workload, command), bool(hearts))


def _beats(part: Process, tree: Sequence[Process], root: Process) -> bool:
    return all(_is_of_beat(process, root) for process in tree if process.ppid == part.pid)


def _is_of_beat(process: Process, root: Process) -> bool:
    """Whether a child is one of the loop's: its pause, its touch, or the shell that is about to become one of them."""
    if process.name in BEATS or process.name != root.name:
        return process.name in BEATS
    now = process if process.argv else processes.look(process.pid)
    return now is None or now.name in BEATS or now.argv == root.argv


def _below(roots: set[int], tree: Sequence[Process]) -> list[Process]:
    inside, found = set(roots), []
    for process in tree:  # parents come before their children
        if process.ppid in inside and process.alive:
            inside.add(process.pid)
            found.append(process)
    return found


def _main(workload: Sequence[Process], command: str) -> Process | None:
    if not workload:
        return None
    first = workload[0]
    if command in first.argv[1:3]:
        return next((process for process in workload if process.ppid == first.pid), first)
    return first


def look(workload: Sequence[Process], main: Process | None = None) -> Seen:
    """Who waits for the terminal; changes nothing and takes no time."""
    ranks = {"reading": 0, "polling": 1, "unknown": 2, "no": 3}
    best, holder = "no", main or workload[0]
    for process in reversed(workload):
        waits = processes.terminal_wait(process)
        if ranks[waits] < ranks[best]:
            best, holder = waits, process
    line = _ancestry(holder, workload)
    others = tuple(process for process in workload if process.pid not in line)
    running = any(process.state in ("R", "D") for process in workload)
    seen = Seen(waits=best, running=running, others=others, name=holder.name)
    if best == "reading":
        seen.sampled = others
    elif best in ("polling", "unknown"):
        seen.sampled = tuple(workload)
    return seen


def _ancestry(process: Process, workload: Sequence[Process]) -> set[int]:
    known = {item.pid: item for item in workload}
    line: set[int] = set()
    at: Process | None = process
    while at is not None and at.pid not in line:
        line.add(at.pid)
        at = known.get(at.ppid)
    return line


def sample(looks: Sequence[Seen], clock: Clock, memory: Memory | None) -> None:
    """Fill in the CPU share of all that need one: since the waiter's last look, else over one short pause."""
    asked = [process for seen in looks for process in seen.sampled]
    if not asked:
        return
    before = memory.cpu if memory is not None else {}
    if any((process.pid, process.started) not in before for process in asked):
        began = clock.monotonic()
        before = {**before, **{(item.pid, item.started): (began, processes.cpu_seconds(item)) for item in asked}}
        clock.sleep(SAMPLE_SECONDS)
    now = clock.monotonic()
    after = {(item.pid, item.started): (now, processes.cpu_seconds(item)) for item in asked}
    for seen in looks:
        seen.cpu = sum(_share(before[item.pid, item.started], after[item.pid, item.started]) for item in seen.sampled)
    if memory is not None:
        memory.cpu = after


def _share(before: tuple[float, float], after: tuple[float, float]) -> float:
    seconds = after[0] - before[0]
    return max(0.0, after[1] - before[1]) / seconds if seconds > 0 else 0.0


def report(seen: Seen, quiet: float) -> AgentReport | None:
    """What that says about the command: at rest, busy, or nothing that can be told.

    `quiet` is for how many seconds the pane has shown nothing new; 0 when that is not known.
    """
    if seen.running or seen.cpu >= BUSY_SHARE:
        return _busy(seen, "uses CPU")
    if seen.waits == "reading":
        return AgentReport(
            source="activity", state="idle", waiting_for="prompt", detail=f"{seen.name} reads its terminal"
        )
    if seen.waits == "no":
        return _busy(seen, "does not read its terminal")
    enough = QUIET_SECONDS if seen.waits == "polling" else QUIET_UNKNOWN_SECONDS
    if quiet >= enough and not seen.others:
        return AgentReport(source="activity", state="idle", detail=f"{seen.name} is quiet at its terminal")
    return None


def _busy(seen: Seen, why: str) -> AgentReport:
    if seen.others:
        return AgentReport(source="activity", state="tool", detail=f"{seen.others[-1].name} runs")
    return AgentReport(source="activity", state="thinking", detail=f"{seen.name} {why}")


def is_shell(process: Process | None) -> bool:
    """An interactive shell, by its executable (never by a name that merely ends in sh)."""
    if process is None:
        return False
    first = process.argv[0] if process.argv else process.name
    return os.path.basename(first).lstrip("-").lower() in SHELLS
