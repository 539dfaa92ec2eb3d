"""Select the hooks of the agent in a pane: other agents may have taken over its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.agents.base import View


def select_own_hooks(view: View, pid: int, started_at: float = 0.0) -> tuple[Mapping[str, object], ...]:
    """Return the hooks of this agent's conversations, without those of other agents that took over its settings.

    Every conversation of the agent's own process counts (/clear, /resume, a fork), of another process only these.
    `pid` is the agent's process, 0 once it has ended; `started_at` is its start in Unix seconds, 0 if unknown.
    """
    callers = [hook for hook in view.hooks if hook.get("pid")]
    if not callers:
        return view.hooks
    own = _find_own_caller(view, callers, pid, started_at)
    conversations = {hook.get("session_id") for hook in callers if hook["pid"] == own}
    return tuple(
        hook for hook in view.hooks if hook.get("pid") in (None, 0, own) or hook.get("session_id") in conversations
    )


def _find_own_caller(view: View, callers: Sequence[Mapping[str, object]], pid: int, started_at: float) -> object:
    """Return the process id under which the agent called its hooks; 0 if it has not yet."""
    if pid and any(hook["pid"] == pid for hook in callers):
        return pid
    if all(isinstance(at := hook.get("at"), int | float) and at < started_at for hook in callers):
        return 0  # hooks of an earlier agent, which a wrapper has restarted
    given = view.meta.agent_session_id
    # the agent has ended, or its hooks see other process ids (a container)
    return next((hook for hook in callers if hook.get("session_id") == given), callers[0])["pid"]
