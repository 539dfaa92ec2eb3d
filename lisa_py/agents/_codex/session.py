"""Identify process and thread of codex in a pane."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from lisa_py.agents._codex import title
from lisa_py.agents.base import Binding, View, find_hook_process, hooks_transcript, read_agent_environment
from lisa_py.contract import jsontext
from lisa_py.contract.late_pattern import compile_late
from lisa_py.host import files, processes
from lisa_py.host.clock import parse_time
from lisa_py.host.processes import Process

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ROLLOUT = compile_late(rf"/rollout-[^/]*-({_ID})\.jsonl\Z")
_LOCK = compile_late(rf"/thread-writer-locks/({_ID})\.lock\Z")
_DAY = compile_late(r"\d{4}/\d\d/\d\d/[^/]+\Z")
_SANDBOX = "codex-linux-sandbox"
START_SLACK_SECONDS = 2.0
HEAD_BYTES = 4096
"""Bytes of a rollout's first line: its id, time and folder precede the long instructions."""
PROMPT_BYTES = 1 << 18
PROMPT_HEAD = 200


def is_agent(process: Process) -> bool:
    """Return True for codex itself or its node script; not for its sandbox helpers, which run the same program."""
    if not process.argv:
        return process.name == "codex"
    first = os.path.basename(process.argv[0])
    if first in ("node", "bun", "nodejs") and len(process.argv) > 1:
        script = process.argv[1]
        return os.path.basename(script) in ("codex", "codex.js") or "/@openai/codex/" in script
    # helpers are named codex-linux-sandbox, but one of them is named codex
    return first == "codex" or (first.startswith("codex-") and first.count("-") > 1 and not first.startswith(_SANDBOX))


def find_native_process(tree: tuple[Process, ...]) -> Process | None:
    """Return the working process: the topmost codex that is not the node script."""
    agents = [process for process in tree if process.alive and is_agent(process)]
    scripts = ("node", "bun", "nodejs")
    real = [process for process in agents if not process.argv or os.path.basename(process.argv[0]) not in scripts]
    return next(iter(real or agents), None)


def find_process(view: View) -> Process | None:
    """Return codex itself: the caller of its hooks, else by its name, else what has files of a thread open."""
    if "process" not in view.cache:
        opened = (process for process in view.processes if process.alive and open_threads(process.pid))
        view.cache["process"] = find_hook_process(view) or find_native_process(view.processes) or next(opened, None)
    found: Process | None = view.cache["process"]
    return found


def config_folder(environ: Mapping[str, str]) -> str:
    """Return the configuration folder of codex in this environment."""
    return environ.get("CODEX_HOME", "") or os.path.join(environ.get("HOME", ""), ".codex")


def session_config_folder(view: View) -> str:
    """Return the configuration folder of codex in this session: by its hooks, its environment, the records."""
    above, _, day = hooks_transcript(view).rpartition("/sessions/")
    if _DAY.match(day):
        return above
    process = find_process(view)
    environ = read_agent_environment(view, process) if process else {}
    if environ:
        return os.path.join(view.meta.working_folder, config_folder(environ))
    return view.meta.agent_home or config_folder(view.environ)


def bind(view: View) -> Binding:
    """Return the thread in the title whose files the process has open; else that of the hooks; else the best match."""
    process = find_process(view)
    pid = process.pid if process else 0
    title_thread = title.read_title(view).thread
    found = _bind_by_open_file(pid, title_thread, view) if pid else None
    if found is None:
        given = title_thread or view.meta.agent_session_id  # a resumed thread has no hook before its first prompt
        found = _bind_by_hook(view, title_thread) or _bind_by_history(view, given)
    return msgspec.structs.replace(found, pid=pid)


class _OpenThread(Struct):
    """Files of one thread that a process holds open."""

    lock: str = ""
    rollout: str = ""


def open_threads(pid: int) -> dict[str, _OpenThread]:
    """Return the threads whose files a process holds open, by id."""
    threads: dict[str, _OpenThread] = {}
    for path in processes.open_files(pid):
        if found := _LOCK.search(path):
            threads.setdefault(found[1], _OpenThread()).lock = path
        elif found := _ROLLOUT.search(path):
            threads.setdefault(found[1], _OpenThread()).rollout = path
    return threads


def thread_created_at(thread: str) -> float:
    """Return the time a thread was created, from its id (a UUID of version 7: milliseconds)."""
    return int(thread.replace("-", "")[:12], 16) / 1000


def _bind_by_open_file(pid: int, title_thread: str, view: View) -> Binding | None:
    threads = open_threads(pid)
    if not threads:
        return None
    named = [name for name in threads if title_thread and name.startswith(title_thread)]
    if not named and title_thread:
        return None  # the title is ahead of or behind the open files: use other evidence
    # without a name: after /new the old thread's files stay open, the lock taken last is the thread on the screen;
    # a run has one thread; later ones belong to helpers
    best = min if view.meta.mode == "exec" else max
    name = best(
        named or threads, key=lambda name: (files.modified_at(threads[name].lock or threads[name].rollout), name)
    )
    return Binding(session_id=name, transcript=threads[name].rollout, source="open_file")


def _bind_by_hook(view: View, title_thread: str) -> Binding | None:
    for entry in reversed(view.hooks):
        name, path = entry.get("session_id"), entry.get("transcript_path")
        if isinstance(name, str) and name and name.startswith(title_thread):
            return Binding(session_id=name, transcript=path if isinstance(path, str) else "", source="hook")
    return None


class _TranscriptHead(Struct):
    """Fields of the first line of a rollout before its long instructions."""

    path: str
    id: str
    at: float
    cwd: str
    originator: str


def _bind_by_history(view: View, title_thread: str) -> Binding:
    """Return the rollout of the thread in the title; else the first of this folder and kind since the session start."""
    found = []
    since = thread_created_at(title_thread) if title_thread else view.meta.created_unix
    for path in _recent_transcripts(os.path.join(session_config_folder(view), "sessions"), since):
        name = _ROLLOUT.search(path)
        if name is None or (title_thread and not name[1].startswith(title_thread)):
            continue
        if title_thread:
            return Binding(session_id=name[1], transcript=path, source="history")
        is_recent = thread_created_at(name[1]) >= view.meta.created_unix - START_SLACK_SECONDS
        head = _read_head(path) if is_recent else None
        if head is not None and _matches_session(head, view):
            found.append(head)
    if len(found) > 1:  # several sessions began at once in one folder: the prompt may decide
        found = [head for head in found if _contains_prompt(head.path, view.meta.prompt)] or found
    if not found:
        return Binding(session_id=title_thread or view.meta.agent_session_id)
    first = min(found, key=lambda head: head.at)
    return Binding(session_id=first.id, transcript=first.path, source="history")


def _matches_session(head: _TranscriptHead, view: View) -> bool:
    kind = "codex_exec" if view.meta.mode == "exec" else "codex-tui"
    is_too_early = head.at < view.meta.created_unix - START_SLACK_SECONDS
    return head.cwd == view.meta.working_folder and head.originator in ("", kind) and not is_too_early


def _contains_prompt(path: str, prompt: str) -> bool:
    """Return True if the beginning of the rollout holds the prompt, as encoded in JSON."""
    words = msgspec.json.encode(prompt.strip()[:PROMPT_HEAD]).strip(b'"')
    return bool(words) and words in files.read_from(path, 0, PROMPT_BYTES)


def _recent_transcripts(sessions: str, since: float) -> list[str]:
    """Return rollouts in the day folders from this time on, oldest first."""
    found = []
    for year in files.list_names(sessions):
        for month in files.list_names(os.path.join(sessions, year)):
            for day in files.list_names(os.path.join(sessions, year, month)):
                # folders are named in local time: a day of slack either way
                day_start = parse_time(f"{year}-{month}-{day}T00:00:00Z") or 0.0
                if day_start >= since - 2 * 86400:
                    folder = os.path.join(sessions, year, month, day)
                    found += [
                        os.path.join(folder, name) for name in files.list_names(folder) if name.endswith(".jsonl")
                    ]
    return found


def _read_head(path: str) -> _TranscriptHead | None:
    text = files.read_from(path, 0, HEAD_BYTES).decode("utf-8", "replace")
    if '"session_meta"' not in text:
        return None
    name, cwd = _read_string(text, "id"), _read_string(text, "cwd")
    at = max(parse_time(stamp) or 0.0 for stamp in re.findall(r'"timestamp":\s*"([^"]+)"', text)[:2] or ["-"])
    return (
        _TranscriptHead(path=path, id=name, at=at, cwd=cwd, originator=_read_string(text, "originator"))
        if name and cwd
        else None
    )


_roots: dict[str, str] = {}
"""Root threads of rollouts that were read; the first line of a rollout does not change."""


def find_subagents(transcript: str) -> tuple[str, ...]:
    """Return the rollouts of the subagents of a thread, of any depth, oldest first.

    They lie among the others, and name their root thread (0.171, with both versions of its tools).
    """
    found, day = _ROLLOUT.search(transcript), _DAY.search(transcript)
    if found is None or day is None:
        return ()
    root, above = found[1], transcript[: day.start()].rstrip("/")
    later = (path for path in _recent_transcripts(above, thread_created_at(root)) if _is_later(path, root))
    return tuple(path for path in later if _read_root(path) == root)


def _is_later(path: str, thread: str) -> bool:
    found = _ROLLOUT.search(path)
    return found is not None and found[1] > thread


def _read_root(path: str) -> str:
    """Return the root thread of a subagent's rollout; empty for other rollouts."""
    if path not in _roots:
        text = files.read_from(path, 0, HEAD_BYTES).decode("utf-8", "replace")
        if '"session_meta"' not in text:
            return ""
        parent = _read_string(text, "parent_thread_id")
        _roots[path] = parent and (_read_string(text, "session_id") or parent)
    return _roots[path]


def _read_string(text: str, key: str) -> str:
    found = re.search(rf'"{key}":\s*("(?:[^"\\]|\\.)*")', text)
    try:
        return jsontext.decode(found[1], str) if found else ""
    except msgspec.DecodeError:
        return ""


def watch_paths(view: View, binding: Binding) -> tuple[str, ...]:
    """Return the rollout; before it exists, the nearest folder it will appear in."""
    if binding.transcript:
        return (binding.transcript,)
    folder = os.path.join(session_config_folder(view), "sessions")
    for _ in range(4):
        newest = [name for name in files.list_names(folder) if name.isdigit()]
        if not newest:
            break
        folder = os.path.join(folder, newest[-1])
    while folder and not files.is_dir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return (folder,) if folder else ()
