"""Find all conversations of a session, oldest first: /clear, /new and /resume begin further ones."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.agents.base import Agent, Binding
from lisa_py.core.context import Context
from lisa_py.core.output.pane_text import read_meta_or_default
from lisa_py.core.status import agent_reports
from lisa_py.core.status.own_hooks import select_own_hooks
from lisa_py.host import files
from lisa_py.store.paths import SessionRef


def find_transcripts(ctx: Context, ref: SessionRef, agent: Agent, binding: Binding) -> tuple[str, ...]:
    """Return the existing transcripts that the agent's own hooks named, and the current one, but none of subagents."""
    view = agent_reports.build_view(ctx, ref, agent, read_meta_or_default(ref))
    view.hooks = agent_reports.read_all_hooks(ref)
    named = [hook.get("transcript_path") for hook in select_own_hooks(view, binding.pid)]
    given = (path for path in (*named, binding.transcript) if isinstance(path, str) and path)
    paths = [path for path in dict.fromkeys(given) if files.size(path) > 0]
    if len(paths) < 2:
        return tuple(paths)
    helpers = {helper for path in paths for helper in agent.helper_transcripts(path)}
    return tuple(path for path in paths if path not in helpers)


def find_start(paths: Sequence[str], newest_bytes: int, end: int | None) -> tuple[tuple[str, int] | None, int]:
    """Return transcript and offset of the first line within the newest bytes, and the number of bytes before it.

    `end` is the end in the last transcript; None is the end of the file. Without transcripts the place is None.
    """
    sizes = [files.size(path) for path in paths]
    if end is not None:
        sizes[-1] = min(end, sizes[-1])
    start = max(0, sum(sizes) - newest_bytes)
    before = 0
    for path, size in zip(paths, sizes, strict=True):
        if start < before + size:
            line = files.find_line_start(path, start - before)
            return (path, line), before + line
        before += size
    return (paths[-1], sizes[-1]) if paths else None, before
