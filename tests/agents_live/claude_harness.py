"""The real claude, started as lisa plans it, on a private tmux server, and read by its agent file."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lisa_py.agents.base import Binding, InputPlan, View
from lisa_py.agents.claude import AGENT
from lisa_py.agents.launch import AgentLaunch, LaunchPlan
from lisa_py.contract.frames import Frame
from lisa_py.contract.quoting import quote_posix
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.host import processes
from tests.agents_kit import AgentHome, Terminal
from tests.polling import wait_until

PANE = Path(__file__).parents[2] / "lisa_py" / "pane"
FACTS: dict[Path, Any] = {}


class ClaudeHarness:
    """One session of claude: its folder, its pane, and the state that the agent file derives."""

    def __init__(self, home: AgentHome, terminal: Terminal) -> None:
        self.home = home
        self.terminal = terminal
        self.folder = Path(tempfile.mkdtemp(prefix="session-", dir=home.home.parent))
        self.run_id = str(time.time_ns())
        self.plan = LaunchPlan(command="", script="")
        self.sent_at = 0.0

    @property
    def facts(self) -> Any:
        if self.home.binary not in FACTS:
            FACTS[self.home.binary] = AGENT.probe_binary(str(self.home.binary), self.home.env, 30)
        return FACTS[self.home.binary]

    def launch(self, mode: str = "interactive", **more: Any) -> AgentLaunch:
        more.setdefault("skip_permissions", False)
        return AgentLaunch(
            mode=mode, folder=str(self.folder), project_root=str(self.home.project), run_id=self.run_id,
            hook=str(PANE / "hook.sh"), environ=self.home.env, **more,
        )  # fmt: skip

    def start(self, mode: str = "interactive", **more: Any) -> LaunchPlan:
        """Start it as lisa would: files, environment and command line of the plan, under the supervisor."""
        self.plan = plan = AGENT.plan_launch(self.launch(mode, **more), self.facts)
        for name, text in plan.files.items():
            (self.folder / name).write_text(text)
        if plan.stdin is not None:
            (self.folder / "stdin").write_text(plan.stdin)
        (self.folder / "command.sh").write_text(plan.script + "\n")
        environment = {**self.home.env, **plan.env}
        exports = "".join(f"export {name}={quote_posix(value)}\n" for name, value in environment.items())
        (self.folder / "environment").write_text(exports)
        self.sent_at = time.time()
        argv = ["/bin/sh", str(PANE / "supervisor.sh"), str(self.folder), self.run_id, mode]
        self.terminal.start(argv, {"PATH": self.home.env["PATH"], "TERM": "screen-256color"}, self.home.project)
        return plan

    # -- looking ----------------------------------------------------------------------------------------------

    @property
    def hooks(self) -> tuple[dict[str, Any], ...]:
        path = self.folder / "hooks.jsonl"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""  # the last line may be half written
        lines = whole.splitlines()
        records = [json.loads(line) for line in lines]
        return tuple({**record["payload"], "hook": record["hook"], "at": record["at"]} for record in records)

    def hook_names(self) -> list[str]:
        return [str(hook["hook"]) for hook in self.hooks]

    @property
    def pane_pid(self) -> int:
        return int(self.terminal.format_value("pane_pid") or 0)

    def view(self, *, screen: bool = True, **meta: Any) -> View:
        view = View(
            meta=SessionMeta(
                session="lisa-stage", agent="claude", project_root=str(self.home.project),
                agent_session_id=self.plan.agent_session_id, hooks=self.plan.hooks, run_id=self.run_id,
                agent_version=self.facts.version, **meta,
            ),
            processes=processes.read_tree(self.pane_pid),
            title=self.terminal.format_value("pane_title"),
            screen=self.terminal.tmux("capture-pane", "-p", "-J") if screen else "",
            alternate=self.terminal.format_value("alternate_on") == "1",
            hooks=self.hooks,
            environ=self.home.env,
            now=time.time(),
        )  # fmt: skip
        view.frames = self.frames(AGENT.bind(view))
        return view

    def frames(self, binding: Binding) -> tuple[Frame, ...]:
        found: list[Frame] = []
        offset = 0
        with contextlib.suppress(OSError):
            for line in Path(binding.transcript).read_bytes().splitlines(keepends=True):
                offset += len(line)
                found += AGENT.parse_frames(line, offset)
        return tuple(found)

    def bind(self) -> Binding:
        return AGENT.bind(self.view(screen=False))

    def reports(self, **more: Any) -> dict[str, AgentReport]:
        """Return the reports by source; a later one of the same source wins."""
        view = self.view(**more)
        return {report.source: report for report in AGENT.collect_reports(view, AGENT.bind(view))}

    def has_report(self, source: str, state: str, waiting_for: str = "", error: str = "") -> bool:
        found = self.reports().get(source)
        return found is not None and (found.state, found.waiting_for, found.error) == (state, waiting_for, error)

    def wait_for_report(
        self, source: str, state: str, waiting_for: str = "", error: str = "", timeout: float = 30
    ) -> None:
        """Wait until a report of this source has this state."""
        wait_until(
            lambda: self.has_report(source, state, waiting_for, error), timeout=timeout,
            what=f"{source} says {state} {waiting_for} {error}; now {self.reports()}\n{self.terminal.screen()}",
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        self.wait_for_report("agent_file", "idle")

    def wait_for_turns(self, turns: int = 1) -> None:
        """Wait until the given number of turns has ended, by their hooks, and the next prompt is accepted."""
        wait_until(
            lambda: sum(name in ("Stop", "StopFailure") for name in self.hook_names()) >= turns
            and self.reports(screen=False)["agent_file"].state == "idle",
            what=f"{turns} turns are over", timeout=40,
        )  # fmt: skip

    # -- sending ----------------------------------------------------------------------------------------------

    def send(self, text: str) -> InputPlan:
        """Type a text as the agent file prepares it, and press Enter."""
        view = self.view()
        input_plan = AGENT.prepare_input(text, view)
        self.sent_at = time.time()
        box = AGENT.find_composer(self.terminal.screen())
        if box is not None and box.kind == "holds":
            self.terminal.press(*AGENT.clear_keys(box.text))
        if input_plan.before_paste:
            self.terminal.press(*input_plan.before_paste)
        self.terminal.tmux("load-buffer", "-", text=input_plan.prefix + text)
        self.terminal.tmux("paste-buffer", "-p", "-r", "-d")
        if input_plan.wait_for_echo:
            with contextlib.suppress(AssertionError):
                wait_until(lambda: self.shows(text), timeout=5)
        time.sleep(input_plan.settle_seconds)
        self.submit(input_plan)
        return input_plan

    def submit(self, input_plan: InputPlan) -> None:
        self.terminal.press(*input_plan.before_enter, input_plan.submit)

    def shows(self, text: str) -> bool:
        """Return True if the input box holds the text or its placeholder."""
        box = AGENT.find_composer(self.terminal.screen())
        words = "".join(box.text.split())
        return "".join(text.split())[:20] in words or words.startswith("[Pastedtext")

    def answer(self, key: str) -> None:
        """Press a key that answers the open dialog; one that was just drawn ignores keys for a moment."""
        wait_until(lambda: self.read_live_file().get("status") == "waiting", what="a dialog")
        for _ in range(5):
            self.terminal.press(key)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: self.read_live_file().get("status") != "waiting", timeout=1)
                return
        raise AssertionError(f"the dialog does not take {key}\n{self.terminal.screen()}")

    def read_acceptance(self, text: str) -> str:
        view = self.view(screen=False)
        return AGENT.find_acceptance(text, self.sent_at, view, AGENT.bind(view)).source

    def send_and_confirm(self, text: str) -> str:
        """Send a text and return the evidence of its acceptance; without any, press Enter again as lisa does."""
        input_plan = self.send(text)
        with contextlib.suppress(AssertionError):
            return wait_until(lambda: self.read_acceptance(text), timeout=3)
        self.submit(input_plan)
        try:
            return wait_until(lambda: self.read_acceptance(text))
        except AssertionError:
            raise AssertionError(f"{text[:80]!r} is not taken\n{self.terminal.screen()}") from None

    def read_live_file(self) -> dict[str, Any]:
        folder = Path(AGENT.home(self.home.env)) / "sessions"
        for path in folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                found: dict[str, Any] = json.loads(path.read_text())
                return found
        return {}


def record_timeline(stage: ClaudeHarness, seconds: float, stop: Callable[[], bool] = lambda: False) -> list[str]:
    """Return changes with times: live file, hooks, transcript, screen (for manual measurements)."""
    seen: dict[str, Any] = {}
    lines: list[str] = []
    began = time.time()
    while time.time() - began < seconds and not stop():
        record = stage.read_live_file()
        hooks = stage.hook_names()
        now = {
            "file": (record.get("status"), record.get("waitingFor"), record.get("sessionId", "")[:4]),
            "hooks": hooks[-1] if hooks else "",
            "n": len(hooks),
        }
        for key, value in now.items():
            if seen.get(key) != value:
                lines.append(f"{time.time() - stage.sent_at:7.3f} {key} {value}")
        seen = now
        time.sleep(0.005)
    return lines


__all__ = ["AGENT", "ClaudeHarness", "record_timeline"]
