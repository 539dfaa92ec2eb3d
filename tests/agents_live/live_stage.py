"""A session of a real agent, spawned and driven by lisa's own commands, against the fake model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lisa_py import agents
from lisa_py.core.watch import transcript
from lisa_py.store import session
from tests.agents_kit import AgentHome, claude_home, codex_home
from tests.fakes.model_api import FakeModelApi
from tests.machine import Machine
from tests.stage import Stage
from tests.waiting import wait_until

HOMES: dict[str, Callable[..., AgentHome]] = {"claude": claude_home, "codex": codex_home}


class LiveStage(Stage):
    """As Stage, with claude or codex in the pane."""

    def __init__(self, machine: Machine, api: FakeModelApi, agent: str, **home: Any) -> None:
        self.api = api
        self.agent_name = agent
        self.agent_home = HOMES[agent](machine.folder, machine.project, api.url, **home)
        asks = home.get("permission", "ask") == "ask"  # as lisa itself starts it
        self.agent_flags = () if asks else self.agent_home.flags
        path = f"{machine.bin}:{self.agent_home.env['PATH']}"
        machine.env |= {**self.agent_home.env, "PATH": path, "LANG": "C.UTF-8"}
        super().__init__(machine, f"lisa-{agent}-live")

    def begin(self, prompt: str = "", *flags: str, mode: str = "interactive") -> LiveStage:
        """Spawn it; without a prompt wait for its input box."""
        words = ["--agent", self.agent_name, "--mode", mode, "--no-dangerously-skip-permissions", *flags]
        if self.agent_flags and "--agent-args" not in flags:
            words += ["--agent-args", " ".join(self.agent_flags)]
        answer = self.lisa("spawn", *words, *(["--prompt", prompt] if prompt else []))
        assert answer.code == 0, answer
        if not prompt:
            self.rests()
        return self

    def rests(self, timeout: float = 60) -> None:
        self.until(lambda status: status.session_state == "waiting_input" and status.waiting_for == "prompt", timeout)

    def until(self, condition: Callable[[Any], bool], timeout: float = 60) -> Any:
        try:
            return wait_until(lambda: condition(status := self.status()) and status, timeout=timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.status()}\n{self.screen()}") from None

    def arrived(self) -> list[str]:
        """The prompts that reached the model."""
        return [str(prompt) for prompt in self.api.prompts()]

    def transcript(self) -> str:
        """The agent's own record, as it stands."""
        path = str(self.status().transcript_path or "")
        return Path(path).read_text(encoding="utf-8") if path and Path(path).exists() else ""

    def told(self) -> list[str]:
        """The prompts in the agent's transcript, oldest first."""
        path = str(self.status().transcript_path or "")
        raw = Path(path).read_bytes() if path and Path(path).exists() else b""
        frames = transcript.parse(agents.get(self.agent_name), raw, 0)
        return [frame.text for frame in frames if frame.kind == "user"]

    def file(self, name: str, text: str) -> Path:
        path = self.machine.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def accepted_at(self) -> float:
        return session.read_state(self.place).last_input_accepted_at
