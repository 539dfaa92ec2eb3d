"""core/live/conversations: the transcripts of a session."""

from __future__ import annotations

import json
from pathlib import Path

from lisa_py import agents
from lisa_py.agents.base import Binding
from lisa_py.core.live.conversations import find_transcripts
from tests.lisa_host import LisaHost

THREADS = [f"01a1fc53-6dfe-7053-861b-e05d9440329{number}" for number in range(1, 4)]


def test_subagent_threads_are_not_conversations(machine: LisaHost) -> None:
    ctx = machine.context()
    ref = ctx.ref("lisa-a")
    folder = machine.home / ".codex" / "sessions" / "2026" / "11" / "21"
    folder.mkdir(parents=True)
    Path(ref.folder).mkdir(parents=True)
    first, child, second = THREADS
    paths = {}
    for thread, parent in ((first, {}), (child, {"session_id": first, "parent_thread_id": first}), (second, {})):
        paths[thread] = folder / f"rollout-2026-11-21T20-00-00-{thread}.jsonl"
        head = {"type": "session_meta", "payload": {"id": thread, **parent}}
        paths[thread].write_text(json.dumps(head) + "\n")
    hooks = [
        {"hook": "SessionStart", "payload": {"session_id": thread, "transcript_path": str(paths[thread])}}
        for thread in THREADS
    ]
    Path(ref.hooks).write_text("".join(json.dumps(hook) + "\n" for hook in hooks))
    binding = Binding(session_id=second, transcript=str(paths[second]))
    found = find_transcripts(ctx, ref, agents.get("codex"), binding)
    assert found == (str(paths[first]), str(paths[second]))
