"""Views of claude sessions for tests: recorded panes and transcripts, made-up processes, hooks and session files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lisa_py import agents
from lisa_py.agents.base import Binding, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.host.processes import Process

HERE = Path(__file__).parent
AGENT = agents.get("claude")
SESSION = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
NOW = 1_800_000_000.0
PID = 77
STARTED = 4242.0


def pane(name: str) -> str:
    """A recorded screen."""
    return (HERE / "panes" / "claude" / f"{name}.txt").read_text(encoding="utf-8")


def pane_names() -> list[str]:
    return sorted(path.stem for path in (HERE / "panes" / "claude").glob("*.txt"))


def recorded_frames(name: str) -> list[Frame]:
    """All frames of a recorded transcript."""
    frames: list[Frame] = []
    offset = 0
    for line in (HERE / "transcripts" / f"claude-{name}.jsonl").read_bytes().splitlines(keepends=True):
        offset += len(line)
        frames += AGENT.parse_frames(line, offset)
    return frames


def process(pid: int, ppid: int, *argv: str, started: float = 1.0, state: str = "S") -> Process:
    name = argv[0].rpartition("/")[2]
    return Process(pid=pid, ppid=ppid, started=started, name=name, state=state, cpu_seconds=0.0, argv=argv)


SUPERVISOR = process(1, 0, "/bin/sh", "supervisor.sh")
SHELL = process(2, 1, "bash", "command.sh")
CLAUDE = process(PID, 2, "/opt/bin/claude", "--session-id", SESSION, started=STARTED)
TOOL = process(80, PID, "/bin/bash", "-c", "source /h/.claude/shell-snapshots/snapshot-bash-1-x.sh 2>/dev/null")
TREE = (SUPERVISOR, SHELL, CLAUDE)


def hook_record(name: str, ago: float, **payload: Any) -> dict[str, object]:
    """Return a hook record of the given age in seconds."""
    return {"hook": name, "at": NOW - ago, "session_id": SESSION, **payload}


class ClaudeHome:
    """A configuration folder of claude's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_live_file(self, status: str, ago: float = 0.0, **more: Any) -> None:
        """Write the live session file."""
        record = {
            "pid": PID, "sessionId": SESSION, "cwd": "/tmp/demo", "procStart": str(int(STARTED)), "status": status,
            "statusUpdatedAt": int((NOW - ago) * 1000), **more,
        }  # fmt: skip
        path = self.folder / "sessions" / f"{PID}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record))

    def view(self, *hooks: dict[str, object], **more: Any) -> View:
        meta = {
            "session": "lisa-x", "agent": "claude", "mode": "interactive", "project_root": "/tmp/demo",
            "agent_home": str(self.folder), "hooks": True, "agent_session_id": SESSION, **more.pop("meta", {}),
        }  # fmt: skip
        more.setdefault("processes", TREE)
        more.setdefault("now", NOW)
        return View(meta=SessionMeta(**meta), hooks=hooks, **more)

    def bind(self, *hooks: dict[str, object], **more: Any) -> Binding:
        return AGENT.bind(self.view(*hooks, **more))

    def reports(self, *hooks: dict[str, object], **more: Any) -> dict[str, AgentReport]:
        """The reports by their source; the newest of each counts."""
        view = self.view(*hooks, **more)
        found = AGENT.collect_reports(view, AGENT.bind(view))
        return {report.source: report for report in sorted(found, key=lambda report: report.at)}

    def states(self, *hooks: dict[str, object], **more: Any) -> dict[str, str]:
        return {source: report.state for source, report in self.reports(*hooks, **more).items()}
