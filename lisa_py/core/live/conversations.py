"""Find all conversations of a session, oldest first: /clear, /new and /resume begin further ones."""

from __future__ import annotations

from lisa_py.agents.base import Agent, Binding, select_own_hooks
from lisa_py.core.context import Context
from lisa_py.core.output.pane_text import read_meta_or_default
from lisa_py.core.status import agent_reports
from lisa_py.host import files
from lisa_py.store.paths import SessionRef


def find_transcripts(ctx: Context, ref: SessionRef, agent: Agent, binding: Binding) -> tuple[str, ...]:
    """Return the existing transcripts that the agent's own hooks named, and the current one."""
    view = agent_reports.build_view(ctx, ref, agent, read_meta_or_default(ref))
    view.hooks = agent_reports.read_hooks(ref, whole=True)
    named = [hook.get("transcript_path") for hook in select_own_hooks(view, binding.pid)]
    paths = [path for path in (*named, binding.transcript) if isinstance(path, str) and path]
    return tuple(path for path in dict.fromkeys(paths) if files.size(path) > 0)
