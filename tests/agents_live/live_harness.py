"""A session of a real agent, spawned and driven by lisa's own commands, against the fake model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lisa_py import agents
from lisa_py.core.status import transcript
from lisa_py.store import session_records
from tests.agents_kit import AgentHome, claude_home, codex_home
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

HOMES: dict[str, Callable[..., AgentHome]] = {"claude": claude_home, "codex": codex_home}


class LiveSessionHarness(SessionHarness):
    """As Stage, with claude or codex in the pane."""

    def __init__(self, machine: LisaHost, api: FakeModelApi, agent: str, **home: Any) -> None:
        self.api = api
        self.agent_name = agent
        self.agent_home = HOMES[agent](machine.folder, machine.project, api.url, **home)
        default_permission = home.get("permission", "ask") == "ask"  # as lisa itself starts it
        self.agent_flags = () if default_permission else self.agent_home.flags
        path = f"{machine.bin}:{self.agent_home.env['PATH']}"
        machine.env |= {**self.agent_home.env, "PATH": path, "LANG": "C.UTF-8"}
        super().__init__(machine, f"lisa-{agent}-live")

    def begin(self, prompt: str = "", *flags: str, mode: str = "interactive") -> LiveSessionHarness:
        """Spawn it; without a prompt wait for its input box."""
        words = ["--agent", self.agent_name, "--mode", mode, "--no-dangerously-skip-permissions", *flags]
        if self.agent_flags and "--agent-args" not in flags:
            words += ["--agent-args", " ".join(self.agent_flags)]
        answer = self.lisa("spawn", *words, *(["--prompt", prompt] if prompt else []))
        assert answer.code == 0, answer
        if not prompt:
            self.wait_until_idle()
        return self

    @property
    def agent_version(self) -> str:
        meta = session_records.read_meta(self.ref)
        return meta.agent_version if meta else ""

    def wait_until_idle(self, timeout: float = 60) -> None:
        self.wait_for_status(
            lambda status: status.session_state == "waiting_input" and status.waiting_for == "prompt", timeout
        )

    def wait_for_status(self, condition: Callable[[Any], bool], timeout: float = 60) -> Any:
        try:
            return wait_until(lambda: condition(status := self.status()) and status, timeout=timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.status()}\n{self.screen()}") from None

    def model_prompts(self) -> list[str]:
        """The prompts that reached the model."""
        return [str(prompt) for prompt in self.api.prompts()]

    def transcript(self) -> str:
        """Return the current transcript of the agent."""
        path = str(self.status().transcript_path or "")
        return Path(path).read_text(encoding="utf-8") if path and Path(path).exists() else ""

    def transcript_prompts(self) -> list[str]:
        """The prompts in the agent's transcript, oldest first."""
        path = str(self.status().transcript_path or "")
        raw = Path(path).read_bytes() if path and Path(path).exists() else b""
        frames = transcript.parse_lines(agents.get(self.agent_name), raw, 0)
        return [frame.text for frame in frames if frame.kind == "user"]

    def write_file(self, name: str, text: str) -> Path:
        path = self.machine.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def accepted_at(self) -> float:
        return session_records.read_state(self.ref).last_input_accepted_at
