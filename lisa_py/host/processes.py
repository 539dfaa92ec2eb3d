"""Read process trees, identities, CPU time and terminal waits, and signal processes by id."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from lisa_py.host import limits

if TYPE_CHECKING:
    import signal

LINUX = sys.platform.startswith("linux")
SHELLS = frozenset(
    (
        *("ash", "bash", "dash", "elvish", "fish", "ion", "ksh", "mksh", "nu"),
        *("pdksh", "powershell", "pwsh", "sh", "tcsh", "csh", "xonsh", "yash", "zsh"),
    )
)


class Process(Struct, frozen=True):
    """One process at one moment; (pid, started) is its identity."""

    pid: int
    ppid: int
    started: float
    """Linux: clock ticks since boot (/proc/PID/stat field 22); elsewhere Unix seconds."""
    name: str
    state: str
    """One letter: R, S, D, T (stopped), Z (ended, not reaped)."""
    cpu_seconds: float
    """User and system time, reaped children included."""
    argv: tuple[str, ...] = ()
    kernel_session: int = 0
    """Process id of the leader of its kernel session: the id stays taken while any member lives."""

    @property
    def alive(self) -> bool:
        return self.state not in ("Z", "X")


_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def read_process(pid: int, *, argv: bool = True) -> Process | None:
    """Return the process, or None if there is none with this id."""
    return _read_process_linux(pid, argv) if LINUX else _read_process_portable(pid)


def read_tree(pid: int, *, argv: bool = True) -> tuple[Process, ...]:
    """Return the process and all its descendants, parents first; empty if it has ended."""
    if not LINUX:
        return _read_tree_portable(pid)
    found: list[Process] = []
    seen: set[int] = set()
    queue = [pid]
    while queue:
        current = queue.pop(0)
        if current in seen:
            continue
        seen.add(current)
        process = _read_process_linux(current, argv)
        if process is not None:
            found.append(process)
            queue.extend(_children_linux(current))
    return tuple(found)


def read_own_tree(process: Process) -> tuple[Process, ...]:
    """Return this process and all its descendants; empty if it has ended, also if another one has its id now."""
    found = read_tree(process.pid)
    return found if found and found[0].started == process.started else ()


def is_running(pid: int, started: float) -> bool:
    """Return True if the process of this identity exists and has not ended."""
    process = read_process(pid, argv=False)
    return process is not None and process.alive and (not started or process.started == started)


def _read_process_linux(pid: int, argv: bool) -> Process | None:
    found = _read_stat_linux(pid)
    return _add_argv(found) if found is not None and argv else found


def add_argv(process: Process) -> Process:
    """Return the process with its command line."""
    return process if process.argv or not LINUX else _add_argv(process)


def _add_argv(process: Process) -> Process:
    line = _read_whole(f"/proc/{process.pid}/cmdline").decode("utf-8", "replace")
    return structs.replace(process, argv=tuple(line.rstrip("\0").split("\0"))) if line else process


def _read_stat_linux(pid: int) -> Process | None:
    raw = _read_whole(f"/proc/{pid}/stat")
    end = raw.rfind(b")")
    if end < 0:
        return None
    name = raw[raw.find(b"(") + 1 : end].decode("utf-8", "replace")
    rest = raw[end + 2 :].split()
    return Process(
        pid=pid,
        ppid=int(rest[1]),
        started=float(rest[19]),
        name=name,
        state=_read_state(rest),
        cpu_seconds=sum(int(ticks) for ticks in rest[11:15]) / _TICKS_PER_SECOND,
        kernel_session=int(rest[3]),
    )


def _read_state(words: Sequence[bytes]) -> str:
    """Return the state of a process by the words of its stat file.

    The kernel reports that of the main thread, which may end before the others.
    """
    state = words[0].decode()
    return "S" if state in ("Z", "X") and int(words[17]) > 1 else state


def _read_whole(path: str) -> bytes:
    """Return the whole file with the fewest system calls: a fleet status reads thousands of files."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        limits.refuse_shortage(problem)
        return b""
    try:
        raw = part = os.read(handle, _PAGE_BYTES)
        while len(part) > _PAGE_BYTES - _RECORD_BYTES:
            part = os.read(handle, _PAGE_BYTES)
            raw += part
        return raw
    except OSError:
        return b""
    finally:
        os.close(handle)


_PAGE_BYTES = 4096
_RECORD_BYTES = 256
"""Largest single read of /proc, and longest record: a read ends before one that does not fit, or with the file."""


def _children_linux(pid: int) -> list[int]:
    children: list[int] = []
    for thread in _threads(pid):
        children.extend(int(child) for child in _read_whole(f"/proc/{pid}/task/{thread}/children").split())
    return children


def _psutil() -> Any:
    import psutil  # noqa: PLC0415 - 10 ms that the Linux read does without

    return psutil


def _read_process_portable(pid: int) -> Process | None:
    psutil = _psutil()
    try:
        return _from_psutil(psutil.Process(pid))
    except psutil.Error:
        return None


def _read_tree_portable(pid: int) -> tuple[Process, ...]:
    psutil = _psutil()
    try:
        top = psutil.Process(pid)
        members = [top, *top.children(recursive=True)]
    except psutil.Error:
        return ()
    found = []
    for member in members:
        try:
            found.append(_from_psutil(member))
        except psutil.Error:
            continue
    return tuple(found)


_STATES = {"running": "R", "sleeping": "S", "disk-sleep": "D", "stopped": "T", "zombie": "Z", "dead": "X"}


def _from_psutil(process: Any) -> Process:
    psutil = _psutil()
    with process.oneshot():
        try:
            times = process.cpu_times()
            words = tuple(process.cmdline())
        except (psutil.AccessDenied, psutil.ZombieProcess):
            times, words = None, ()
        used = times.user + times.system if times else 0.0
        return Process(
            pid=process.pid,
            ppid=process.ppid(),
            started=process.create_time(),
            name=process.name(),
            state=_STATES.get(process.status(), "S"),
            cpu_seconds=used,
            argv=words,
            kernel_session=_kernel_session(process.pid),
        )


KernelSessions = Mapping[int, Mapping[int, int]]
"""Kernel sessions by the process id of their leader: the process ids of the members, each with its folder's number."""


def list_kernel_sessions(before: KernelSessions | None = None) -> KernelSessions:
    """Return the processes of the system by kernel session; one list serves several searches.

    Those of an earlier list keep their place in it: only the others are looked at.
    """
    leaders = {member: leader for leader, members in (before or {}).items() for member in members.items()}
    sessions: dict[int, dict[int, int]] = {}
    for pid, number in _list_identities():
        leader = leaders.get((pid, number), -1)
        sessions.setdefault(_kernel_session(pid) if leader < 0 else leader, {})[pid] = number
    return sessions


def find_by_environments(
    entries: Iterable[str],
    checked: set[tuple[int, int]] | None = None,
    sessions: KernelSessions | None = None,
    since: float = 0.0,
) -> dict[str, tuple[Process, ...]]:
    """Return, per `NAME=value` entry, the living processes of this user that were started with it.

    Detached children keep the entry. One pass over the processes serves all entries; a further pass with the same
    `checked` does not read the same environments again. All processes of a kernel session descend from its leader: they
    are not read if it is a living stranger, with another value or from before `since`, in the unit of `started`.
    """
    needles = {entry.encode(): entry for entry in entries}
    found: dict[str, list[Process]] = {entry: [] for entry in needles.values()}
    checked = set() if checked is None else checked
    search = _EnvironmentSearch(needles.keys(), checked)
    every = {} if not needles else list_kernel_sessions() if sessions is None else sessions
    for leader, members in every.items():
        if leader in members and search.excludes(leader, members[leader], since):
            checked.update(members.items())
            continue
        for pid, number in members.items():
            matches = search.match(pid, number)
            for part in matches if matches and user_id(pid) == os.getuid() else ():
                process = read_process(pid)
                if process is not None and process.alive:
                    found[needles[part]].append(process)
    return {entry: tuple(processes) for entry, processes in found.items()}


class _EnvironmentSearch:
    """A search for entries in the environments of processes."""

    def __init__(self, needles: Collection[bytes], checked: set[tuple[int, int]]) -> None:
        self._needles = frozenset(needles)
        self._hints = {each.partition(b"=")[0] + b"=" for each in needles}
        self._checked = checked
        """Processes without any of the entries."""

    def match(self, pid: int, number: int) -> frozenset[bytes]:
        """Return the entries that the process was started with; `number` is that of its folder in /proc."""
        return frozenset() if (pid, number) in self._checked else self._read(pid, number)[1]

    def _read(self, pid: int, number: int) -> tuple[bytes, frozenset[bytes]]:
        environment = _environment(pid)
        parts = environment.split(b"\0") if any(hint in environment for hint in self._hints) else ()
        matches = self._needles & set(parts)
        if environment and not matches:
            self._checked.add((pid, number))
        return environment, matches

    def excludes(self, pid: int, number: int, since: float) -> bool:
        """Return True if neither this process nor one below it can have an entry; it may have replaced its own."""
        environment, matches = (b"", frozenset()) if (pid, number) in self._checked else self._read(pid, number)
        if not environment or matches:
            return False
        if any(hint in environment for hint in self._hints):
            return True
        found = read_process(pid, argv=False)
        return found is not None and found.started < since


def _list_identities() -> list[tuple[int, int]]:
    """Return id and number of the folder in /proc of each process; the number changes when an id is used again."""
    if not LINUX:
        return [(pid, 0) for pid in _all_pids()]
    with os.scandir("/proc") as entries:
        return [(int(entry.name), entry.inode()) for entry in entries if entry.name.isdigit()]


def _kernel_session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def read_environment(process: Process) -> dict[str, str]:
    """Return the environment that a process was started with; empty if it cannot be read or has ended."""
    if not is_running(process.pid, process.started):
        return {}
    pairs = (part.partition("=") for part in os.fsdecode(_environment(process.pid)).split("\0"))
    return {name: value for name, separator, value in pairs if separator}


def read_working_folder(process: Process) -> str:
    """Return the present working folder of a process; empty if it cannot be read or has ended."""
    folder = _read_link(f"/proc/{process.pid}/cwd") if LINUX else _working_folder_portable(process.pid)
    return folder if is_running(process.pid, process.started) else ""


def find_by_working_folder(folder: str, ignored: Collection[int]) -> Process | None:
    """Return a process that works in a folder or below it."""
    for pid in _all_pids():
        at = "" if pid in ignored else _read_link(f"/proc/{pid}/cwd") if LINUX else _working_folder_portable(pid)
        if f"{at}/".startswith(f"{folder}/") and (process := read_process(pid)) is not None and process.alive:
            return process
    return None


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _working_folder_portable(pid: int) -> str:
    psutil = _psutil()
    try:
        return str(psutil.Process(pid).cwd())
    except psutil.Error:
        return ""


def find_by_kernel_sessions(
    leaders: Iterable[int], sessions: KernelSessions | None = None
) -> dict[int, tuple[Process, ...]]:
    """Return, per leader's process id, the living members of its kernel session, also of other users."""
    wanted = {leader for leader in leaders if leader}
    every = {} if not wanted else list_kernel_sessions() if sessions is None else sessions
    found: dict[int, list[Process]] = {leader: [] for leader in wanted}
    for pid in (pid for leader in wanted for pid in every.get(leader, ())):
        process = read_process(pid)
        if process is not None and process.alive and process.kernel_session in wanted:
            found[process.kernel_session].append(process)
    return {leader: tuple(members) for leader, members in found.items()}


def carries(process: Process, entry: str) -> bool:
    """Return True if the process was started with this `NAME=value` in its environment."""
    return entry.encode() in _environment(process.pid).split(b"\0")


def user_id(pid: int) -> int:
    """Return the user that a process runs as; -1 if it has ended."""
    if not LINUX:
        psutil = _psutil()
        try:
            return int(psutil.Process(pid).uids().effective)
        except psutil.Error:
            return -1
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _environment(pid: int) -> bytes:
    if LINUX:
        return _read_whole(f"/proc/{pid}/environ")
    psutil = _psutil()
    try:
        pairs = psutil.Process(pid).environ()
    except psutil.Error:
        return b""
    return b"\0".join(f"{key}={value}".encode() for key, value in pairs.items())


def open_files(pid: int) -> tuple[str, ...]:
    """Return the paths of the open files of a process; empty if they cannot be read."""
    if not LINUX:
        psutil = _psutil()
        try:
            return tuple(item.path for item in psutil.Process(pid).open_files())
        except psutil.Error:
            return ()
    try:
        handles = os.listdir(f"/proc/{pid}/fd")
    except OSError as problem:
        limits.refuse_shortage(problem)
        return ()
    return tuple(path for handle in handles if (path := _read_link(f"/proc/{pid}/fd/{handle}")))


def send_signal(process: Process, number: signal.Signals) -> bool:
    """Signal this process and no later one of the same id; return False if it has ended."""
    handle = _open_handle(process.pid)
    try:
        if not is_running(process.pid, process.started):
            return False
        if handle < 0:
            os.kill(process.pid, number)
        else:
            from signal import pidfd_send_signal  # noqa: PLC0415 - no read needs it

            pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def _open_handle(pid: int) -> int:
    """Return a pidfd, which no later process of the same id gets; -1 where the system gives none."""
    try:
        return os.pidfd_open(pid) if LINUX else -1
    except OSError:
        return -1


def own_pid() -> int:
    return os.getpid()


def own_user_id() -> int:
    return os.geteuid()


def read_trees(roots: Sequence[int], *, argv: bool = True) -> dict[int, tuple[Process, ...]]:
    """Return the trees of many roots; from eight roots on, one pass over all processes is cheaper."""
    if len(roots) < 8 or not LINUX:
        return {root: read_tree(root, argv=argv) for root in roots}
    every = {process.pid: process for process in map(_read_stat_linux, _all_pids()) if process is not None}
    children: dict[int, list[int]] = {}
    for process in every.values():
        children.setdefault(process.ppid, []).append(process.pid)
    return {root: tuple(_descend(root, every, children, argv)) for root in roots}


def _descend(root: int, every: dict[int, Process], children: dict[int, list[int]], argv: bool) -> Iterator[Process]:
    queue = [root]
    while queue:
        pid = queue.pop(0)
        found = every.get(pid)
        if found is not None:
            yield _add_argv(found) if argv else found
            queue.extend(children.get(pid, ()))


def _all_pids() -> list[int]:
    if not LINUX:
        return [int(pid) for pid in _psutil().pids()]
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def current_time() -> float:
    """Return the present time in the unit of `Process.started`."""
    if not LINUX:
        return time.time()
    words = _read_whole("/proc/uptime").split()
    return float(words[0]) * _TICKS_PER_SECOND if words else 0.0


def age(process: Process, now: float) -> float:
    """Return the seconds since the start of the process, suspend included; `now` is from `current_time`."""
    seconds = now - process.started
    return seconds / _TICKS_PER_SECOND if LINUX else seconds


def started_at(process: Process, now: float) -> float:
    """Return the Unix time at which the process started; `now` is from `current_time`."""
    return time.time() - age(process, now)


def cpu_seconds(process: Process) -> float:
    """Return the CPU time at the best resolution, for comparing two moments; -1 if the process has ended."""
    if LINUX:
        words = _read_whole(f"/proc/{process.pid}/schedstat").split()
        if words:
            return int(words[0]) / 1e9
    now = read_process(process.pid, argv=False)
    return now.cpu_seconds if now is not None and now.started == process.started else -1.0


def written_bytes(pid: int) -> int:
    """Return the bytes that a process and its reaped children have written; -1 if the system does not report it."""
    lines = _read_whole(f"/proc/{pid}/io").splitlines() if LINUX else []
    return next((int(line.split()[1]) for line in lines if line.startswith(b"wchar:")), -1)


def read_run_counters(pids: Iterable[int]) -> dict[str, bytes]:
    """Return what the system counts of the runs of each thread, by the path of the counter."""
    paths = [f"/proc/{pid}/task/{thread}/schedstat" for pid in pids for thread in _threads(pid)] if LINUX else []
    return {path: _read_whole(path) for path in paths}


def have_run(counters: Mapping[str, bytes]) -> bool:
    """Return False if no thread has run since the counters were read; True if the system does not tell."""
    return not counters or any(not before or _read_whole(path) != before for path, before in counters.items())


_READ = {"0", "63"}  # syscall numbers of x86-64 and arm64
_ONE_FD = {"23", "270", "72"}  # select, pselect6: the first argument is the highest descriptor plus one
_POLL = {"7", "271", "73"}
_EPOLL = {"232", "281", "22", "441"}


def terminal_wait(process: Process) -> str:
    """Classify how a sleeping process waits for its terminal.

    `reading`: it waits for the terminal only; `polling`: for the terminal among other things; `no`: for something
    else; `unknown`: the system does not report it.
    """
    if not LINUX:
        return "unknown"
    if process.state != "S":
        return "no"
    waits = {_thread_wait(process.pid, thread) for thread in _threads(process.pid)}
    if waits == {"reading"}:
        return "reading"
    if waits & {"reading", "polling"}:
        return "polling"  # one of several threads: the others may wait for work
    return "unknown" if "unknown" in waits else "no"


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError as problem:
        limits.refuse_shortage(problem)
        return []


def _thread_wait(pid: int, thread: str) -> str:
    words = _read_whole(f"/proc/{pid}/task/{thread}/syscall").decode("ascii", "replace").split()
    if not words or not words[0].isdigit():
        return _wait_by_channel(pid, thread)
    call = words[0]
    if call in _READ:
        return "reading" if _is_terminal(pid, int(words[1], 16)) else "no"
    if call in _ONE_FD:
        alone = int(words[1], 16) == 1 and _is_terminal(pid, 0)
        return "reading" if alone else _wait_by_stdin(pid)
    if call in _POLL:
        alone = int(words[2], 16) == 1 and _is_terminal(pid, 0) and not _has_socket(pid)
        return "reading" if alone else _wait_by_stdin(pid)
    return _wait_by_epoll(pid, int(words[1], 16)) if call in _EPOLL else "no"


def _wait_by_channel(pid: int, thread: str) -> str:
    """Classify by the wait channel, where Yama hides the system call from all but the parent."""
    channel = _read_whole(f"/proc/{pid}/task/{thread}/wchan").decode("ascii", "replace")
    if channel == "n_tty_read" or (channel == "wait_woken" and not _has_socket(pid)):
        return "reading"
    if channel.startswith(("poll_schedule", "do_select", "do_epoll", "ep_poll", "do_sys_poll", "wait_woken")):
        return _wait_by_stdin(pid)
    return "unknown" if channel in ("", "0") else "no"


def _wait_by_epoll(pid: int, handle: int) -> str:
    targets = [
        int(line.split()[1])
        for line in _read_whole(f"/proc/{pid}/fdinfo/{handle}").decode("ascii", "replace").splitlines()
        if line.startswith("tfd:")
    ]
    if not any(_is_terminal(pid, target) for target in targets):
        return "no"
    return "polling" if _has_socket(pid) or len(targets) > 8 else "reading" if len(targets) == 1 else "polling"


def _wait_by_stdin(pid: int) -> str:
    return "polling" if _is_terminal(pid, 0) else "no"


def terminal_input(pid: int) -> str:
    """Return the terminal that is the standard input of a process; empty if it is another file, or unknown."""
    found = _read_link(f"/proc/{pid}/fd/0")
    return found if found.startswith("/dev/") and found != os.devnull else ""


def _is_terminal(pid: int, handle: int) -> bool:
    return _read_link(f"/proc/{pid}/fd/{handle}").startswith(("/dev/pts/", "/dev/tty"))


def _has_socket(pid: int) -> bool:
    return any(path.startswith("socket:") for path in open_files(pid))
