"""claude (Claude Code): how it is started, what its signals mean, and how it is told something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.agents import base
from lisa_py.agents._claude import home, live, signals
from lisa_py.agents._dialogs import Choice
from lisa_py.agents.base import Binding, Facts, Input, Launch, Plan, TurnEdge, View
from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.status import AgentReport
from lisa_py.host.processes import Process


class Claude(base.Agent):
    """Each part stands in a file of its own in `_claude/`; parts that a status read does not need are loaded late."""

    name = "claude"
    title = "Claude"
    binaries = ("claude",)
    oauth_variable = "CLAUDE_CODE_OAUTH_TOKEN"
    probe_models = ("sonnet", "haiku")
    session_variables = (
        "AI_AGENT",
        "CLAUDECODE",
        "CLAUDE_CODE_CHILD_NOTES_DIR",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_EXECPATH",
        "CLAUDE_CODE_MESSAGING_SOCKET",
        "CLAUDE_CODE_MESSAGING_TOKEN",
        "CLAUDE_CODE_SESSION_ATTENDED",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_EFFORT",
        "CLAUDE_PID",
        "CLAUDE_PROJECT_DIR",
    )

    def home(self, environ: Mapping[str, str]) -> str:
        return home.folder(environ)

    def resuming(self, session_id: str) -> str:
        return f"--resume {session_id}"

    # -- starting ---------------------------------------------------------------------------------------------

    def command(self, launch: Launch) -> str:
        from lisa_py.agents._claude import start  # noqa: PLC0415 - not on the way of a status read

        return start.command(launch)

    def plan(self, launch: Launch, facts: Facts) -> Plan:
        from lisa_py.agents._claude import start  # noqa: PLC0415 - not on the way of a status read

        return start.plan(launch, facts)

    def probe(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        from lisa_py.agents._claude import start  # noqa: PLC0415 - not on the way of a status read

        return start.probe(binary, environ, timeout)

    def ask_once(self, prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
        from lisa_py.agents._claude import asking  # noqa: PLC0415 - only preflight asks

        return asking.command(prompt, model, facts)

    # -- watching ---------------------------------------------------------------------------------------------

    def is_agent(self, process: Process) -> bool:
        return live.is_agent(process)

    def bind(self, view: View) -> Binding:
        return live.bind(view)

    def reports(self, view: View, binding: Binding) -> list[AgentReport]:
        return signals.reports(view, binding)

    def needs_screen(self, reports: Sequence[AgentReport]) -> bool:
        return signals.needs_screen(reports)

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        return signals.turn_edge(hook)

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        return signals.watch_paths(view, binding)

    def todos(self, view: View, binding: Binding) -> tuple[Todo, ...]:
        return live.todos(view, binding)

    # -- reading ----------------------------------------------------------------------------------------------

    def frames(self, line: bytes, offset: int) -> list[Frame]:
        from lisa_py.agents._claude import transcript  # noqa: PLC0415 - not every read has a transcript

        return transcript.frames(line, offset)

    def is_noise(self, line: str) -> bool:
        from lisa_py.agents._claude import screen  # noqa: PLC0415 - not on the way of a status read

        return screen.is_noise(line)

    def choices(self, screen: str) -> tuple[Choice, ...]:
        from lisa_py.agents._claude.screen import dialog_part  # noqa: PLC0415 - not on the way of a status read

        return super().choices(dialog_part(screen))

    # -- telling ----------------------------------------------------------------------------------------------

    def input(self, text: str, view: View, reports: Sequence[AgentReport]) -> Input:
        from lisa_py.agents._claude import telling  # noqa: PLC0415 - not on the way of a status read

        return telling.how(text, view, reports)

    def accepted(self, text: str, since: float, view: View, binding: Binding) -> str:
        from lisa_py.agents._claude import telling  # noqa: PLC0415 - not on the way of a status read

        return telling.accepted(text, since, view, binding)


AGENT = Claude()
