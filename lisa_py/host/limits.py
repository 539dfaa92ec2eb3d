"""Report that the machine has no more file handles, processes or memory, which is no defect of lisa."""

from __future__ import annotations

import errno
import os

from lisa_py.contract.errors import LisaError

SPARE_HANDLES = 64
"""File handles that are left free for everything else."""
_TEXTS = {
    "Too many open files": "too_many_open_files",
    "fork failed": "too_many_processes",
    "Cannot fork": "too_many_processes",
    "fork: Resource temporarily unavailable": "too_many_processes",
    "fork: retry": "too_many_processes",
    "Cannot allocate memory": "out_of_memory",
}
"""Words of other programs."""


def make_error(code: str, detail: str) -> LisaError:
    remedy = {
        "too_many_open_files": "close files or raise the limit (ulimit -n; fs.file-max for the whole machine)",
        "too_many_processes": "end processes or raise the limit (ulimit -u, the pids limit of the container)",
        "out_of_memory": "end processes or give the machine more memory",
    }
    return LisaError(code, f"{code.replace('_', ' ')}: {detail}; {remedy[code]}")


def find_shortage(problem: BaseException, *, at_start: bool = False) -> LisaError | None:
    """Return the error for a shortage of the machine; None for any other problem.

    `at_start`: the problem occurred at the start of a process, where EAGAIN means the limit of processes.
    """
    code = ""
    if isinstance(problem, OSError):
        code = {errno.EMFILE: "too_many_open_files", errno.ENFILE: "too_many_open_files"}.get(problem.errno or 0, "")
        code = "out_of_memory" if problem.errno == errno.ENOMEM else code
        code = "too_many_processes" if at_start and problem.errno == errno.EAGAIN else code
    elif isinstance(problem, MemoryError):
        code = "out_of_memory"
    elif isinstance(problem, ImportError):  # a module that is written in C
        code = find_in_text(str(problem))
    elif isinstance(problem, RuntimeError) and "start new thread" in str(problem):
        code = "too_many_processes"
    return make_error(code, str(problem) or type(problem).__name__) if code else None


def refuse_shortage(problem: BaseException, *, at_start: bool = False) -> None:
    """Raise the error for a shortage of the machine: what cannot be read then must not count as missing."""
    found = find_shortage(problem, at_start=at_start)
    if found is not None:
        raise found from problem


def find_in_text(text: str) -> str:
    """Return the error code for the shortage that another program reports; empty if it reports none."""
    return next((code for words, code in _TEXTS.items() if words in text), "")


def require_handles(count: int) -> None:
    """Raise LisaError(too_many_open_files) unless so many more files can be opened: a half-done action is worse."""
    opened: list[int] = []
    try:
        for _ in range(count):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        refuse_shortage(problem)
        raise
    finally:
        for handle in opened:
            os.close(handle)


def leaves_spare_handles(handle: int) -> bool:
    """Return True if enough file handles are left after opening this one; the soft limit is raised if it may be."""
    try:
        import resource  # noqa: PLC0415 - only waiting commands need it
    except ImportError:  # there is no handle left to open it
        return False
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or handle < soft - SPARE_HANDLES:
        return True
    raised = 2 * soft if hard == resource.RLIM_INFINITY else min(hard, 2 * soft)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):
        return False
    return handle < raised - SPARE_HANDLES
