"""Agent claude (Claude Code): start, signals and input."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lisa_py.agents import _claude, base
from lisa_py.agents.base import (
    Acceptance,
    Binding,
    Checklist,
    Composer,
    HookAnswer,
    InputPlan,
    LimitReport,
    LoginScreen,
    ReviewState,
    TurnEdge,
    View,
)
from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.quoting import drop_words
from lisa_py.contract.status import AgentReport, Helper
from lisa_py.host import files
from lisa_py.host.processes import Process

if TYPE_CHECKING:
    from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
    from lisa_py.contract.dialogs import DialogQuestion
    from lisa_py.contract.mcp_tools import ToolServer
    from lisa_py.contract.tool_decisions import ToolDecision
    from lisa_py.terminal.choices import ScreenChoice
    from lisa_py.terminal.layout import Layout


class Claude(base.Agent):
    """Each role is a file in `_claude/`; those that a status read does not need are imported late."""

    name = "claude"
    title = "Claude"
    binaries = ("claude",)
    install_hint = "npm install -g @anthropic-ai/claude-code"
    providers = ("anthropic",)
    key_variables = ("ANTHROPIC_API_KEY",)
    login_arguments = ("setup-token",)
    floating_models = frozenset(("default", "best", "opus", "opusplan", "sonnet", "haiku", "opus[1m]", "sonnet[1m]"))
    oauth_variable = "CLAUDE_CODE_OAUTH_TOKEN"
    token_failures = (
        (r"\binvalid_grant: invalid refresh token\b", "invalid_refresh_token"),
        (r"\boauth token refresh failed\b.*\bexpired\b", "expired_token"),
        (r"\boauth token refresh failed\b", "refresh_failed"),
        (r"auth\(tokenrefreshfailed\(.*\bexpired\b", "expired_token"),
        (r"auth\(tokenrefreshfailed\(", "refresh_failed"),
        (r"\boauth\b.{0,40}\bexpired token\b", "expired_token"),
        (r"\boauth\b.{0,40}\binvalid_token\b", "invalid_token"),
    )
    capture_field = "claude_session"
    folded_drafts = ("[Pasted text", "[Image #")
    dialog_pause_seconds = 0.2  # an Enter of the first 0.1 s is lost (2.1.332)
    image_mark = r"\[Image #\d+\]"
    exit_inputs = frozenset(("/exit", "/quit", "exit", "quit", ":q", ":q!", ":wq", ":wq!"))
    clearing_inputs = frozenset(("/clear", "/new", "/reset"))
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
        return _claude.home.config_folder(environ)

    def resume_arguments(self, session_id: str) -> str:
        return f"--resume {session_id}"

    def drop_conversation(self, agent_args: str) -> str:
        valued = ("--resume", "-r", "--session-id", "--from-pr", "--teleport")
        return drop_words(agent_args, valued, ("--continue", "-c", "--fork-session"))

    def fork_arguments(self, session_id: str) -> str:
        return f"--resume {session_id} --fork-session"

    # -- definitions ------------------------------------------------------------------------------------------

    def definition_folders(self, project_root: str, environ: Mapping[str, str]) -> Mapping[str, str]:
        from lisa_py.agents._claude import definitions  # noqa: PLC0415 - few calls start from a definition

        return definitions.list_folders(project_root, environ)

    def read_definition(self, header: Mapping[str, Any]) -> dict[str, Any]:
        from lisa_py.agents._claude import definitions  # noqa: PLC0415 - few calls start from a definition

        return definitions.read_header(header)

    # -- starting ---------------------------------------------------------------------------------------------

    def build_command(self, request: AgentLaunch) -> str:
        from lisa_py.agents._claude import launch  # noqa: PLC0415 - not on the way of a status read

        return launch.build_command(request)

    def plan_launch(self, request: AgentLaunch, facts: Facts) -> LaunchPlan:
        from lisa_py.agents._claude import launch  # noqa: PLC0415 - not on the way of a status read

        return launch.plan_launch(request, facts)

    def probe_binary(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        from lisa_py.agents._claude import launch  # noqa: PLC0415 - not on the way of a status read

        return launch.probe_binary(binary, environ, timeout)

    def read_login_screen(self, screen: str) -> LoginScreen:
        from lisa_py.agents._claude import login  # noqa: PLC0415 - only `auth claude login`

        return login.read_login_screen(screen)

    def find_login(self, environ: Mapping[str, str]) -> str:
        from lisa_py.agents._claude import login  # noqa: PLC0415 - only `auth claude status`

        return login.find_login(environ)

    def format_rule_answer(self, event: str, decision: ToolDecision, reason: str) -> str:
        from lisa_py.agents import _permission_hook  # noqa: PLC0415 - only decisions by rule

        return _permission_hook.format_rule_answer(event, decision, reason)

    def format_early_allowance(self, event: str) -> str:
        from lisa_py.agents import _permission_hook  # noqa: PLC0415 - only decisions by rule

        return _permission_hook.format_early_allowance(event)

    def build_one_shot_command(self, prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
        from lisa_py.agents._claude import one_shot  # noqa: PLC0415 - only preflight asks

        return one_shot.build_one_shot_command(prompt, model, facts)

    # -- tools ------------------------------------------------------------------------------------------------

    def format_tool_server(self, server: ToolServer) -> str:
        from lisa_py.agents._claude import tool_servers  # noqa: PLC0415 - only an installation needs it

        return tool_servers.format_server(server)

    def add_tool_server(self, server: ToolServer, binary: str, environ: Mapping[str, str]) -> str:
        from lisa_py.agents._claude import tool_servers  # noqa: PLC0415

        return tool_servers.add_server(server, binary, environ)

    def remove_tool_server(self, name: str, binary: str, environ: Mapping[str, str]) -> str:
        from lisa_py.agents._claude import tool_servers  # noqa: PLC0415

        return tool_servers.remove_server(name, binary, environ)

    # -- status -----------------------------------------------------------------------------------------------

    def is_agent(self, process: Process) -> bool:
        return _claude.session.is_agent(process)

    def find_process(self, view: View) -> Process | None:
        return _claude.session.find_process(view)

    def bind(self, view: View) -> Binding:
        return _claude.session.bind(view)

    def collect_reports(self, view: View, binding: Binding) -> list[AgentReport]:
        return _claude.reports.collect_reports(view, binding)

    def needs_screen(self, agent_reports: Sequence[AgentReport]) -> bool:
        return _claude.reports.needs_screen(agent_reports)

    def summarize_title(self, title: str) -> str:
        return _claude.reports.summarize_title(title)

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        return _claude.reports.turn_edge(hook)

    def is_foreign(self, hook: Mapping[str, object], binding: Binding) -> bool:
        return _claude.session.is_foreign(hook, binding)

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        return _claude.reports.watch_paths(view, binding)

    def todos(self, view: View, binding: Binding) -> tuple[Todo, ...]:
        return _claude.session.todos(view, binding)

    def list_helpers(self, view: View, binding: Binding) -> tuple[Helper, ...]:
        if not binding.transcript or not (
            self._has_subagents(binding.transcript) or _claude.reports.may_have_helpers(view)
        ):
            return ()
        from lisa_py.agents._claude import helpers  # noqa: PLC0415 - few sessions have some

        return helpers.list_helpers(view, binding.transcript)

    @staticmethod
    def _has_subagents(transcript: str) -> bool:
        return files.is_dir(os.path.join(transcript.removesuffix(".jsonl"), "subagents"))

    def read_limit(self, text: str, at: float, environ: Mapping[str, str], binding: Binding) -> LimitReport:
        from lisa_py.agents._claude import limits  # noqa: PLC0415 - only at a limit

        return limits.complete_report(super().read_limit(text, at, environ, binding), text, environ)

    # -- reading ----------------------------------------------------------------------------------------------

    def parse_frames(self, line: bytes, offset: int) -> list[Frame]:
        from lisa_py.agents._claude import transcript  # noqa: PLC0415 - not every read has a transcript

        return transcript.parse_frames(line, offset)

    def helper_transcripts(self, transcript: str) -> tuple[str, ...]:
        folder = os.path.join(transcript.removesuffix(".jsonl"), "subagents")
        return tuple(os.path.join(folder, name) for name in sorted(files.list_names(folder)) if name.endswith(".jsonl"))

    def parse_helper_frames(self, line: bytes, offset: int) -> list[Frame]:
        from lisa_py.agents._claude import transcript  # noqa: PLC0415 - as above

        return transcript.parse_helper_frames(line, offset)

    def read_own_cost(self, folder: str) -> float | None:
        from lisa_py.agents._claude import cost  # noqa: PLC0415 - few sessions have it

        return cost.read_cost(folder)

    def is_noise(self, line: str) -> bool:
        from lisa_py.agents._claude import layout  # noqa: PLC0415 - only pane captures

        return layout.is_noise(line)

    def find_choices(self, screen: str) -> tuple[ScreenChoice, ...]:
        from lisa_py.agents._claude.screen import dialog_part  # noqa: PLC0415 - not on the way of a status read

        checklist = self.find_checklist(screen)
        return checklist.choices if checklist is not None else super().find_choices(dialog_part(screen))

    def read_question(self, screen: str) -> str:
        from lisa_py.agents._claude.screen import question_part  # noqa: PLC0415 - only open dialogs
        from lisa_py.terminal import choices as terminal_choices  # noqa: PLC0415 - only dialogs

        return terminal_choices.read_question(question_part(screen), self.find_choices(screen))

    def find_checklist(self, screen: str) -> Checklist | None:
        from lisa_py.agents._claude import questions  # noqa: PLC0415 - only answers to dialogs
        from lisa_py.agents._claude.screen import dialog_part  # noqa: PLC0415 - as above

        return questions.find_checklist(dialog_part(screen))

    def find_session_choice(self, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
        found = self.pick_choice("always", choices)  # most of these are kept for the project, beyond the session
        return found if found is not None and "session" in found.text else None

    def find_text_choice(self, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
        return next((choice for choice in choices if choice.text.startswith("Type something")), None)

    def read_questions(self, tool_name: str, tool_input: object) -> tuple[DialogQuestion, ...]:
        from lisa_py.contract.dialogs import parse_questions  # noqa: PLC0415 - only open dialogs

        return parse_questions(tool_input) if tool_name == _claude.reports.QUESTION_TOOL else ()

    def format_hook_answer(self, answer: HookAnswer, tool_input: object) -> str:
        from lisa_py.agents import _permission_hook  # noqa: PLC0415 - only answers to dialogs

        return _permission_hook.format_answer(answer, tool_input)

    def find_review(self, screen: str) -> ReviewState:
        from lisa_py.agents._claude import questions  # noqa: PLC0415 - only answers to dialogs
        from lisa_py.agents._claude.screen import dialog_part  # noqa: PLC0415 - as above

        return questions.find_review(dialog_part(screen))

    def layout(self) -> Layout:
        from lisa_py.agents._claude.layout import LAYOUT  # noqa: PLC0415 - only pane texts

        return LAYOUT

    def banner_end(self, lines: Sequence[str], row: int) -> int:
        from lisa_py.agents._claude import layout  # noqa: PLC0415 - only pane captures

        return layout.banner_end(lines, row)

    # -- sending ----------------------------------------------------------------------------------------------

    def read_screen(self, screen: str) -> AgentReport | None:
        from lisa_py.agents._claude.screen import read_screen  # noqa: PLC0415 - only if no box is visible

        return read_screen(screen)

    def find_composer(self, screen: str) -> Composer:
        from lisa_py.agents._claude.screen import find_composer  # noqa: PLC0415 - only sends

        return find_composer(screen)

    def is_placeholder(self, draft: str, text: str) -> bool:
        from lisa_py.agents._claude import input as claude_input  # noqa: PLC0415 - only sends

        return claude_input.is_placeholder(draft, text)

    def clear_keys(self, draft: str) -> tuple[str, ...]:
        from lisa_py.agents._claude import input as claude_input  # noqa: PLC0415 - only sends

        return claude_input.clear_keys(draft)

    def prepare_input(self, text: str, view: View) -> InputPlan:
        from lisa_py.agents._claude import input as claude_input  # noqa: PLC0415 - not on the way of a status read

        return claude_input.prepare_input(text, view)

    def find_acceptance(self, text: str, since: float, view: View, binding: Binding) -> Acceptance:
        from lisa_py.agents._claude import input as claude_input  # noqa: PLC0415 - not on the way of a status read

        return claude_input.find_acceptance(text, since, view, binding)


AGENT = Claude()
