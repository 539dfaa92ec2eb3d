"""List the subagents of a codex thread by their own rollouts (0.171)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lisa_py.agents._codex import session, transcript
from lisa_py.contract.status import Helper
from lisa_py.host import files
from lisa_py.host.clock import parse_time

HEAD_BYTES = 1 << 13
BLOCK_BYTES = 1 << 16
_STRING = r'"{}":\s*"([^"\\]+)"'
_ID = re.compile(_STRING.format("id"))
_NAME = re.compile(_STRING.format("agent_(?:nickname|path)"))
_TIME = re.compile(_STRING.format("timestamp"))
_EDGES = (b'"task_started"', b'"task_complete"', b'"turn_aborted"')


def list_helpers(rollout: str, created_unix: float) -> tuple[Helper, ...]:
    """Return the subagents that this process has started."""
    return tuple(_describe(path, created_unix) for path in session.find_subagents(rollout) if path)


def _describe(path: str, created_unix: float) -> Helper:
    head = files.read_from(path, 0, HEAD_BYTES).decode("utf-8", "replace")
    identity, name, stamp = _ID.search(head), _NAME.search(head), _TIME.search(head)
    started_at = (parse_time(stamp[1]) or 0.0) if stamp else 0.0
    changed_at = files.modified_at(path)
    is_running = changed_at >= created_unix and next(_read_edges(path), "") == "turn_start"
    return Helper(
        kind="subagent",
        state="running" if is_running else "ended",
        id=identity[1] if identity else "",
        name=name[1] if name else "",
        started_unix=started_at,
        ended_unix=0.0 if is_running else changed_at,
    )


def _read_edges(path: str) -> Iterator[str]:
    """Yield the starts and ends of turns in a rollout, newest first."""
    end, rest = files.size(path), b""
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        first, *lines = (files.read_from(path, start, end - start) + rest).split(b"\n")
        for line in reversed(lines if start else [first, *lines]):
            if any(mark in line for mark in _EDGES):
                yield from (each.kind for each in transcript.parse_frames(line, 0) if each.kind.startswith("turn_"))
        end, rest = start, first
