"""codex: OpenAI's coding agent, as lisa starts it, reads it and tells it things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.agents._codex import BYPASS, FULL_AUTO, rollout, signs
from lisa_py.agents._codex import binding as threads
from lisa_py.agents._dialogs import Choice
from lisa_py.agents.base import Agent, Binding, Facts, Input, Launch, Plan, TurnEdge, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.status import AgentReport
from lisa_py.host.processes import Process


class Codex(Agent):
    """The codex CLI 0.169; older and newer ones as far as their help pages say so."""

    name = "codex"
    title = "Codex"
    binaries = ("codex",)
    takes_model = True
    model_aliases: Mapping[str, str] = {"codex-spark": "gpt-5.3-codex-spark"}
    probe_models = ("gpt-5.3-codex", "gpt-5-codex")
    bypass_flag = BYPASS
    full_auto_flag = FULL_AUTO
    session_variables = ("CODEX_CI", "CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_THREAD_ID")

    def command(self, launch: Launch) -> str:
        from lisa_py.agents._codex import start  # noqa: PLC0415 - a status does without

        return start.command(launch)

    def plan(self, launch: Launch, facts: Facts) -> Plan:
        from lisa_py.agents._codex import start  # noqa: PLC0415 - as above

        return start.plan(launch, facts)

    def probe(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        from lisa_py.agents._codex import probe  # noqa: PLC0415 - only before a first start

        return probe.probe(binary, environ, timeout)

    def home(self, environ: Mapping[str, str]) -> str:
        return threads.folder(environ)

    def ask_once(self, prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
        from lisa_py.agents._codex import asking  # noqa: PLC0415 - only preflight asks

        return asking.command(prompt, model, facts)

    def resuming(self, session_id: str) -> str:
        return f"resume {session_id}"

    def wants_bypass(self, launch: Launch) -> bool:
        return launch.mode == "exec"

    def is_agent(self, process: Process) -> bool:
        return threads.is_agent(process)

    def bind(self, view: View) -> Binding:
        return threads.bind(view)

    def reports(self, view: View, binding: Binding) -> list[AgentReport]:
        return signs.reports(view, binding)

    def needs_screen(self, reports: Sequence[AgentReport]) -> bool:
        return signs.needs_screen(reports)

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        return signs.turn_edge(hook)

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        return threads.watched(view, binding)

    def frames(self, line: bytes, offset: int) -> list[Frame]:
        return rollout.frames(line, offset)

    def is_noise(self, line: str) -> bool:
        from lisa_py.agents._codex import chatter  # noqa: PLC0415 - only pane captures

        return chatter.is_noise(line)

    def input(self, text: str, view: View, reports: Sequence[AgentReport]) -> Input:
        from lisa_py.agents._codex import telling  # noqa: PLC0415 - only sends

        return telling.how(text, view)

    def accepted(self, text: str, since: float, view: View, binding: Binding) -> str:
        from lisa_py.agents._codex import telling  # noqa: PLC0415 - as above

        return telling.accepted(text, since, view, binding)

    def choices(self, screen: str) -> tuple[Choice, ...]:
        from lisa_py.agents._codex import screen as screens  # noqa: PLC0415 - only answers to dialogs

        return screens.choices(screen)


AGENT = Codex()
