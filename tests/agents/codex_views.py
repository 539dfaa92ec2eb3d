"""Views of codex sessions for tests: recorded panes, recorded rollouts, made-up processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lisa_py import agents
from lisa_py.agents.base import Binding, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.host.processes import Process

HERE = Path(__file__).parent
AGENT = agents.get("codex")
THREAD = "01a1fc71-7be1-79d3-a5f7-75e6b0a6cd79"
TRUNCATED_THREAD = "01a1fc71-7be1-79d3-a5f7-75e6b..."
NOW = 1_800_000_000.0


def pane(name: str) -> str:
    """A recorded screen."""
    return (HERE / "panes" / "codex" / f"{name}.txt").read_text(encoding="utf-8")


def recorded_frames(name: str) -> list[Frame]:
    """All frames of a recorded rollout."""
    frames: list[Frame] = []
    offset = 0
    for line in (HERE / "transcripts" / f"{name}.jsonl").read_bytes().splitlines(keepends=True):
        offset += len(line)
        frames += AGENT.parse_frames(line, offset)
    return frames


def process(pid: int, ppid: int, *argv: str, name: str = "") -> Process:
    shown = name or argv[0].rpartition("/")[2]
    return Process(pid=pid, ppid=ppid, started=1.0, name=shown, state="S", cpu_seconds=0.0, argv=argv)


CODEX = (process(1, 0, "/bin/sh", "supervisor.sh"), process(2, 1, "node", "/bin/codex"), process(3, 2, "/x/bin/codex"))


def view(**more: Any) -> View:
    mode = more.pop("mode", "interactive")
    meta = SessionMeta(session="lisa-x", agent="codex", mode=mode, project_root="/tmp/demo/proj", created_unix=NOW - 60)
    more.setdefault("processes", CODEX)
    more.setdefault("now", NOW)
    return View(meta=more.pop("meta", meta), **more)


def reports(seen: View, binding: Binding | None = None) -> dict[str, AgentReport]:
    """The agent's reports by their source."""
    return {report.source: report for report in AGENT.collect_reports(seen, binding or Binding())}
