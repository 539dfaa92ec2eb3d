"""The real codex, started as lisa plans it, on a private tmux server, and read by its agent file."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lisa_py.agents.base import Binding, View
from lisa_py.agents.codex import AGENT
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.frames import Frame
from lisa_py.contract.quoting import quote_posix
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.core.status.fusion import FusionResult, TurnBoundary, fuse
from lisa_py.host import processes
from tests.agents_kit import AgentHome, Terminal
from tests.polling import wait_until

PANE = Path(__file__).parents[2] / "lisa_py" / "pane"
FACTS: dict[Path, Facts] = {}


def probe_facts(home: AgentHome) -> Facts:
    """Return the features of the installed codex, probed once."""
    if home.binary not in FACTS:
        FACTS[home.binary] = AGENT.probe_binary(str(home.binary), home.env, 30)
    return FACTS[home.binary]


class CodexHarness:
    """One session of codex: its folder, its pane, and the state that the agent file derives."""

    def __init__(self, home: AgentHome, terminal: Terminal, *, known_version: bool = True) -> None:
        self.home = home
        self.terminal = terminal
        self.facts = probe_facts(home) if known_version else Facts(binary=str(home.binary), version="0.160.0")
        """Without `known_version` codex is started as an unknown version: no hooks, its own title."""
        self.folder = Path(tempfile.mkdtemp(prefix="session-", dir=home.home.parent))
        self.run_id = str(time.time_ns())
        self.plan = LaunchPlan(command="", script="")
        self.mode = "interactive"
        self.started_at = self.sent_at = 0.0

    def start(self, mode: str = "interactive", prompt: str = "", **more: Any) -> LaunchPlan:
        """Start it as lisa would: files and command line of the plan, under the supervisor."""
        launch = AgentLaunch(
            mode=mode, prompt=prompt, folder=str(self.folder), project_root=str(self.home.project),
            run_id=self.run_id, hook=str(PANE / "hook.sh"), environ=self.home.env, **more,
        )  # fmt: skip
        self.mode, self.plan = mode, AGENT.plan_launch(launch, self.facts)
        if self.plan.stdin is not None:
            (self.folder / "stdin").write_text(self.plan.stdin)
        (self.folder / "command.sh").write_text(self.plan.script + "\n")
        exports = "".join(f"export {name}={quote_posix(value)}\n" for name, value in self.home.env.items())
        (self.folder / "environment").write_text(exports)
        self.started_at = self.sent_at = time.time()
        argv = ["/bin/sh", str(PANE / "supervisor.sh"), str(self.folder), self.run_id, mode]
        self.terminal.start(argv, {"PATH": self.home.env["PATH"], "TERM": "screen-256color"}, self.home.project)
        return self.plan

    # -- looking ----------------------------------------------------------------------------------------------

    def hooks(self) -> tuple[dict[str, Any], ...]:
        path = self.folder / "hooks.jsonl"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""  # the last line may be half written
        lines = whole.splitlines()
        records = [json.loads(line) for line in lines]
        return tuple({**record["payload"], "hook": record["hook"], "at": record["at"]} for record in records)

    def hook_names(self) -> list[str]:
        return [str(hook["hook"]) for hook in self.hooks()]

    def view(self, *, screen: bool = False) -> View:
        """Return the view that lisa passes to the agent file."""
        meta = SessionMeta(
            session="lisa-stage", agent="codex", mode=self.mode, project_root=str(self.home.project),
            created_unix=self.started_at, hooks=self.plan.hooks, run_id=self.run_id,
        )  # fmt: skip
        view = View(
            meta=meta, processes=processes.read_tree(int(self.terminal.format_value("pane_pid") or 0)),
            title=self.terminal.format_value("pane_title"), hooks=self.hooks(), environ=self.home.env,
        )  # fmt: skip
        view.frames = self.frames(AGENT.bind(view))
        if screen:
            view.screen = self.terminal.tmux("capture-pane", "-p", "-J")
        view.now = time.time()
        return view

    def frames(self, binding: Binding) -> tuple[Frame, ...]:
        if not binding.transcript or not Path(binding.transcript).exists():
            return ()
        found: list[Frame] = []
        offset = 0
        for line in Path(binding.transcript).read_bytes().splitlines(keepends=True):
            offset += len(line)
            found += AGENT.parse_frames(line, offset) if line.endswith(b"\n") else []
        return tuple(found)

    def bind(self) -> Binding:
        return AGENT.bind(self.view())

    def reports(self, *, screen: bool | None = None) -> list[AgentReport]:
        """Return the reports by source; the screen is only read if needed, or with `screen`."""
        view = self.view(screen=bool(screen))
        binding = AGENT.bind(view)
        found = AGENT.collect_reports(view, binding)
        if screen is None and AGENT.needs_screen(found):
            view = self.view(screen=True)
            found = AGENT.collect_reports(view, AGENT.bind(view))
        return found

    def fuse_reports(self, *, screen: bool | None = None) -> FusionResult | None:
        return fuse(self.reports(screen=screen), TurnBoundary(), time.time())

    def has_state(self, state: str, waiting_for: str = "", error: str = "", source: str = "") -> bool:
        found = self.fuse_reports()
        if found is None or (source and found.source != source):
            return False
        return (found.state, found.waiting_for, found.error) == (state, waiting_for, error)

    def wait_for_state(
        self, state: str, waiting_for: str = "", error: str = "", source: str = "", timeout: float = 20
    ) -> FusionResult:
        """Wait until lisa reports this state."""
        try:
            wait_until(lambda: self.has_state(state, waiting_for, error, source), timeout=timeout)
        except AssertionError:
            raise AssertionError(
                f"never {state} {waiting_for} {error} {source}; now {self.fuse_reports()} "
                f"by {self.reports()} with the title "
                f"{self.terminal.format_value('pane_title')!r} and the screen\n{self.terminal.screen()}"
            ) from None
        found = self.fuse_reports()
        assert found is not None
        return found

    def wait_until_ready(self) -> None:
        self.wait_for_state("idle")

    def texts(self, kind: str) -> list[str]:
        return [frame.text for frame in self.view().frames if frame.kind == kind]

    def wait_for_exit_code(self) -> int:
        """Wait for the supervisor's end record."""
        done = self.folder / "done.txt"
        wait_until(done.exists, timeout=20)
        return int(done.read_text().strip().partition(":")[2])

    # -- sending ----------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Type a text as the agent file prepares it, and press Enter."""
        view = self.view(screen=True)
        input_plan = AGENT.prepare_input(text, view)
        self.sent_at = time.time()
        box = AGENT.find_composer(self.terminal.screen())
        if box is not None and box.kind == "holds":
            self.terminal.press(*AGENT.clear_keys(box.text))
        if input_plan.before_paste:
            self.terminal.press(*input_plan.before_paste)
        self.terminal.tmux("load-buffer", "-", text=input_plan.prefix + text)
        self.terminal.tmux("paste-buffer", "-p", "-r", "-d")
        time.sleep(input_plan.settle_seconds)
        self.terminal.press(*input_plan.before_enter, input_plan.submit)

    def press_until(self, condition: Callable[[], object], key: str) -> None:
        """Press a key again as long as it has no effect: a dialog that was just drawn may ignore it."""
        for _ in range(5):
            self.terminal.press(key)
            with contextlib.suppress(AssertionError):
                wait_until(condition, timeout=3)
                return
        raise AssertionError(f"{key} has no effect\n{self.terminal.screen()}")

    def choose(self, number: int) -> None:
        """Answer the open dialog: the title reports it before codex has drawn it and accepts its keys."""
        selected = wait_until(self.selected_choice, what="the choices of the dialog")
        while selected != number:
            self.terminal.press("Down")
            selected = self._wait_for_other_choice(selected)
        self.terminal.press("Enter")

    def _wait_for_other_choice(self, selected: int) -> int:
        return wait_until(lambda: (now := self.selected_choice()) != selected and now, what="the next choice")

    def selected_choice(self) -> int:
        """Return the number of the selected choice; 0 if no list of choices is drawn."""
        return next((choice.number for choice in AGENT.find_choices(self.terminal.screen()) if choice.selected), 0)

    def wait_for_acceptance(self, text: str) -> str:
        """Wait until the text is accepted; return the evidence."""
        found: list[str] = []

        def has_acceptance() -> bool:
            view = self.view(screen=True)
            found[:] = [AGENT.find_acceptance(text, self.sent_at, view, AGENT.bind(view)).source]
            return bool(found[0])

        wait_until(has_acceptance, timeout=10)
        return found[0]

    def send_and_confirm(self, text: str) -> None:
        self.send(text)
        assert self.wait_for_acceptance(text)
