"""Agent codex (OpenAI): start, signals and input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lisa_py.agents import _codex
from lisa_py.agents._codex import BYPASS, FULL_AUTO
from lisa_py.agents.base import Acceptance, Agent, Binding, Composer, InputPlan, LimitReport, TurnEdge, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.quoting import drop_words
from lisa_py.contract.status import AgentReport, Helper
from lisa_py.host.processes import Process

if TYPE_CHECKING:
    from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
    from lisa_py.contract.dialogs import DialogQuestion
    from lisa_py.contract.mcp_tools import ToolServer
    from lisa_py.contract.tool_decisions import ToolDecision
    from lisa_py.terminal.choices import ScreenChoice
    from lisa_py.terminal.layout import Layout


class Codex(Agent):
    """The codex CLI 0.169 to 0.171; other versions as far as their help pages name the features."""

    name = "codex"
    title = "Codex"
    binaries = ("codex",)
    install_hint = "npm install -g @openai/codex"
    providers = ("openai",)
    reports_call_folder = False
    tool_aliases: Mapping[str, tuple[str, ...]] = {"apply_patch": ("Edit", "Write")}
    asks_by_rule = False
    key_variables = ("OPENAI_API_KEY", "CODEX_API_KEY")
    takes_model = True
    model_aliases: Mapping[str, str] = {"codex-spark": "gpt-5.3-codex-spark"}
    exit_inputs = frozenset(("/exit", "/quit"))
    clearing_inputs = frozenset(("/clear", "/new"))
    probe_models = ("gpt-5.3-codex", "gpt-5-codex")
    bypass_flag = BYPASS
    full_auto_flag = FULL_AUTO
    capture_field = "codex_session"
    interrupt_keys = ("C-c",)
    folded_drafts = ("[Pasted Content", "[Image ")
    image_mark = r"\[Image #\d+\]"
    session_variables = ("CODEX_CI", "CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_THREAD_ID")

    def build_command(self, request: AgentLaunch) -> str:
        from lisa_py.agents._codex import launch  # noqa: PLC0415 - a status does without

        return launch.build_command(request)

    def plan_launch(self, request: AgentLaunch, facts: Facts) -> LaunchPlan:
        from lisa_py.agents._codex import launch  # noqa: PLC0415 - as above

        return launch.plan_launch(request, facts)

    def probe_binary(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        from lisa_py.agents._codex import probe  # noqa: PLC0415 - only before a first start

        return probe.probe_binary(binary, environ, timeout)

    def home(self, environ: Mapping[str, str]) -> str:
        return _codex.session.config_folder(environ)

    def list_call_paths(self, tool_name: str, tool_input: Mapping[str, Any]) -> tuple[str, ...]:
        from lisa_py.agents._codex import patches  # noqa: PLC0415 - only decisions by rule

        return patches.list_files(tool_input)  # a patch may be in a command line, too

    def format_rule_answer(self, event: str, decision: ToolDecision, reason: str) -> str:
        from lisa_py.agents import _permission_hook  # noqa: PLC0415 - only decisions by rule

        return _permission_hook.format_rule_answer(event, decision, reason, can_ask=self.asks_by_rule)

    def build_one_shot_command(self, prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
        from lisa_py.agents._codex import one_shot  # noqa: PLC0415 - only preflight asks

        return one_shot.build_one_shot_command(prompt, model, facts)

    def tool_server_options(self) -> Mapping[str, Any]:
        from lisa_py.agents._codex.options import SERVER_OPTIONS  # noqa: PLC0415 - only starts with tools

        return SERVER_OPTIONS

    def format_tool_server(self, server: ToolServer) -> str:
        from lisa_py.agents._codex import tool_servers  # noqa: PLC0415 - only an installation needs it

        return tool_servers.format_server(server)

    def add_tool_server(self, server: ToolServer, binary: str, environ: Mapping[str, str]) -> str:
        from lisa_py.agents._codex import tool_servers  # noqa: PLC0415

        return tool_servers.add_server(server, environ)

    def remove_tool_server(self, name: str, binary: str, environ: Mapping[str, str]) -> str:
        from lisa_py.agents._codex import tool_servers  # noqa: PLC0415

        return tool_servers.remove_server(name, environ)

    def resume_arguments(self, session_id: str) -> str:
        return f"resume {session_id}"

    def drop_conversation(self, agent_args: str) -> str:
        return drop_words(agent_args, ("resume", "fork"), ("--last",))

    def fork_arguments(self, session_id: str) -> str:
        return f"fork {session_id}"

    def wants_bypass(self, request: AgentLaunch) -> bool:
        return request.mode == "exec"

    def is_agent(self, process: Process) -> bool:
        return _codex.session.is_agent(process)

    def find_process(self, view: View) -> Process | None:
        return _codex.session.find_process(view)

    def bind(self, view: View) -> Binding:
        return _codex.session.bind(view)

    def collect_reports(self, view: View, binding: Binding) -> list[AgentReport]:
        return _codex.reports.collect_reports(view, binding)

    def needs_screen(self, agent_reports: Sequence[AgentReport]) -> bool:
        return _codex.reports.needs_screen(agent_reports)

    def summarize_title(self, title: str) -> str:
        return _codex.title.summarize_title(title)

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        return _codex.reports.turn_edge(hook)

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        return _codex.session.watch_paths(view, binding)

    def list_helpers(self, view: View, binding: Binding) -> tuple[Helper, ...]:
        if not binding.transcript or not _codex.session.find_subagents(binding.transcript):
            return ()
        from lisa_py.agents._codex import helpers  # noqa: PLC0415 - few sessions have some

        return helpers.list_helpers(binding.transcript, view.meta.created_unix)

    def read_limit(self, text: str, at: float, environ: Mapping[str, str], binding: Binding) -> LimitReport:
        from lisa_py.agents._codex import limits  # noqa: PLC0415 - only at a limit

        records = limits.read_newest(binding.transcript)
        message, seen_at = limits.find_message(records) or (text, at)
        return limits.find_counts(records, at) or super().read_limit(message, seen_at or at, environ, binding)

    def parse_frames(self, line: bytes, offset: int) -> list[Frame]:
        return _codex.transcript.parse_frames(line, offset)

    def helper_transcripts(self, transcript: str) -> tuple[str, ...]:
        return _codex.session.find_subagents(transcript)

    def is_noise(self, line: str) -> bool:
        from lisa_py.agents._codex import layout  # noqa: PLC0415 - only pane captures

        return layout.is_noise(line)

    def layout(self) -> Layout:
        from lisa_py.agents._codex.layout import LAYOUT  # noqa: PLC0415 - only pane texts

        return LAYOUT

    def startup_end(self, lines: Sequence[str], row: int) -> int:
        from lisa_py.agents._codex import layout  # noqa: PLC0415 - only pane captures

        return max(super().startup_end(lines, row), layout.startup_end(lines, row))

    def banner_end(self, lines: Sequence[str], row: int) -> int:
        from lisa_py.agents._codex import layout  # noqa: PLC0415 - only pane captures

        return layout.banner_end(lines, row)

    def is_header(self, line: str) -> bool:
        from lisa_py.agents._codex import layout  # noqa: PLC0415 - only pane captures

        return layout.is_header(line)

    def read_screen(self, screen: str) -> AgentReport | None:
        from lisa_py.agents._codex.screen import read_screen  # noqa: PLC0415 - only if no box is visible

        return read_screen(screen)

    def find_composer(self, screen: str) -> Composer:
        from lisa_py.agents._codex.screen import find_composer  # noqa: PLC0415 - only sends

        return find_composer(screen)

    def is_placeholder(self, draft: str, text: str) -> bool:
        from lisa_py.agents._codex import input as codex_input  # noqa: PLC0415 - only sends

        return codex_input.is_placeholder(draft, text)

    def clear_keys(self, draft: str) -> tuple[str, ...]:
        from lisa_py.agents._codex import input as codex_input  # noqa: PLC0415 - only sends

        return codex_input.clear_keys(draft)

    def prepare_input(self, text: str, view: View) -> InputPlan:
        from lisa_py.agents._codex import input as codex_input  # noqa: PLC0415 - only sends

        return codex_input.prepare_input(text, view)

    def find_acceptance(self, text: str, since: float, view: View, binding: Binding) -> Acceptance:
        from lisa_py.agents._codex import input as codex_input  # noqa: PLC0415 - as above

        return codex_input.find_acceptance(text, since, view, binding)

    def find_choices(self, screen: str) -> tuple[ScreenChoice, ...]:
        from lisa_py.agents._codex.screen import find_choices  # noqa: PLC0415 - only answers to dialogs

        return find_choices(screen)

    def read_questions(self, tool_name: str, tool_input: object) -> tuple[DialogQuestion, ...]:
        from lisa_py.contract.dialogs import parse_questions  # noqa: PLC0415 - only open dialogs

        return parse_questions(tool_input) if tool_name == _codex.reports.QUESTION_TOOL else ()

    def read_question(self, screen: str) -> str:
        from lisa_py.agents._codex.screen import question_part  # noqa: PLC0415 - only open dialogs
        from lisa_py.terminal import choices as terminal_choices  # noqa: PLC0415 - only dialogs

        return terminal_choices.read_question(question_part(screen), self.find_choices(screen))


AGENT = Codex()
