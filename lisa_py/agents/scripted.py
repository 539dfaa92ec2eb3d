"""The bundled scripted agent, driven by directives in its prompt: for the demo, for tests, and as an example.

To add an agent, write a file like this one: name it after the agent, override the methods of `base.Agent`, end with
AGENT. Nothing else has to be registered.

"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

import lisa_py
from lisa_py.agents.base import Acceptance, Agent, Binding, Composer, HookAnswer, TurnEdge, View, read_agent_environment
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan, require_prompt
from lisa_py.contract import jsontext
from lisa_py.contract.frames import Frame, Todo, Usage
from lisa_py.contract.quoting import drop_words, quote, quote_posix
from lisa_py.contract.session_settings import describe_unapplied
from lisa_py.contract.status import AgentReport
from lisa_py.host import files
from lisa_py.host.processes import Process

if TYPE_CHECKING:
    from lisa_py.contract.dialogs import DialogQuestion
    from lisa_py.contract.tool_decisions import ToolDecision
    from lisa_py.terminal.choices import ScreenChoice
    from lisa_py.terminal.layout import Layout

PROGRAM = os.path.join(os.path.dirname(lisa_py.__file__), "pane", "scripted_agent.py")
QUESTION_TOOL = "ask_user"
_ISOLATION_FLAGS = ("-I", "-S")  # independent of the Python of project and user; starts in 10 ms
_ARGUMENT_LIMIT = 100_000  # bytes; Linux allows 131,072 for one argument


class _StateFile(Struct, kw_only=True, rename="camel"):
    """State file of the agent, `<home>/sessions/<pid>.json`."""

    pid: int = 0
    proc_start: float = 0.0
    session_id: str = ""
    transcript: str = ""
    state: str = "idle"
    waiting_for: str = ""
    error: str = ""
    detail: str = ""
    queued: int = 0
    at: float = 0.0


_APPLIED = ("permission_mode", "allowed_tools", "denied_tools")
"""Settings that have an effect; its dialogs are those of its script."""


class ScriptedAgent(Agent):
    """A real process with a terminal, a state file, a transcript and hooks, but without a model."""

    name = "scripted"
    title = "Scripted"
    binaries = (sys.executable,)  # an absolute path: it runs on lisa's own Python, without PATH
    hidden = True
    tool_aliases: Mapping[str, tuple[str, ...]] = {"shell": ("Bash",)}
    folded_drafts = ("[",)
    clearing_inputs = frozenset(("/clear", "/new"))

    # -- starting: which command line, and what does the installed version need? ----------------------------------

    def build_command(self, request: AgentLaunch) -> str:
        require_prompt(request)
        return " ".join(self._command_words(request, quote(request.prompt) if request.prompt else ""))

    def plan_launch(self, request: AgentLaunch, facts: Facts) -> LaunchPlan:
        resumed = re.search(r"(?<!\S)--resume[ =](\S+)", request.agent_args)
        session_id = resumed[1] if resumed else _new_uuid()
        long = len(request.prompt.encode("utf-8", "replace")) > _ARGUMENT_LIMIT
        extra = [] if resumed else ["--session-id", session_id]
        if request.hook and request.folder:
            program, folder = f"/bin/sh {quote_posix(request.hook)}", quote_posix(request.folder)
            extra += ["--hook", quote_posix(f"{program} {folder}")]
            if request.mode != "exec":
                extra += ["--permission-hook", quote_posix(f"{program} --wait {folder}")]
        if not request.main_screen:
            extra.append("--alt-screen")
        by_stdin = long and request.mode == "exec"
        extra += ["--stdin"] if by_stdin else []
        prompt = "" if by_stdin else quote_posix(request.prompt) if request.prompt and not long else ""
        return LaunchPlan(
            command=self.build_command(request),
            script=" ".join(self._command_words(request, prompt, extra)),
            agent_session_id=session_id,
            hooks="--hook" in extra,
            rule_events=("PermissionRequest",) if "--permission-hook" in extra else (),
            unattended=request.mode == "exec",
            stdin=request.prompt if by_stdin else None,
            send_prompt=long and not by_stdin,
            warnings=describe_unapplied("the scripted agent", request.settings, _APPLIED),
        )

    def format_rule_answer(self, event: str, decision: ToolDecision, reason: str) -> str:
        from lisa_py.agents import _permission_hook  # noqa: PLC0415 - only decisions by rule

        return _permission_hook.format_rule_answer(event, decision, reason)

    def resume_arguments(self, session_id: str) -> str:
        return f"--resume {session_id}"

    def drop_conversation(self, agent_args: str) -> str:
        return drop_words(agent_args, ("--resume", "--session-id"))

    def _command_words(self, request: AgentLaunch, prompt: str, extra: Sequence[str] = ()) -> list[str]:
        words = [quote(sys.executable), *_ISOLATION_FLAGS, quote(PROGRAM)]
        if request.mode == "exec":
            words += ["exec", *(["--yes"] if request.skip_permissions else [])]
        words += [*extra, request.agent_args.strip()]
        if prompt:
            words += ["--", prompt]
        return [word for word in words if word]

    def probe_binary(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        return Facts(binary=binary, version=f"lisa {lisa_py.__version__}")  # bundled: nothing to probe

    def home(self, environ: Mapping[str, str]) -> str:
        return environ.get("SCRIPTED_HOME") or os.path.join(environ.get("HOME", ""), ".scripted")

    # -- watching: which process and conversation does the pane hold, and what is it doing? -----------------------

    def is_agent(self, process: Process) -> bool:
        return process.argv[1:3] == _ISOLATION_FLAGS and os.path.basename(
            "".join(process.argv[3:4])
        ) == os.path.basename(PROGRAM)

    def bind(self, view: View) -> Binding:
        process = self.find_process(view)
        home = self._session_home(view, process)
        state = self._read_state_file(home, process)
        if state is not None and process is not None:
            return Binding(
                session_id=state.session_id, transcript=state.transcript, pid=process.pid, source="agent_file"
            )
        hook = next((hook for hook in reversed(view.hooks) if hook.get("transcript_path")), None)
        if hook is not None:  # the process has ended: its last report
            return Binding(
                session_id=str(hook.get("session_id", "")), transcript=str(hook["transcript_path"]), source="hook"
            )
        session_id = view.meta.agent_session_id
        path = os.path.join(home, "transcripts", session_id + ".jsonl") if session_id else ""
        return Binding(session_id=session_id, transcript=path, pid=process.pid if process else 0, source="spawn")

    def _session_home(self, view: View, process: Process | None) -> str:
        environ = read_agent_environment(view, process) if process else {}
        return self.home(environ) if environ else view.meta.agent_home or self.home(view.environ)

    @staticmethod
    def _read_state_file(home: str, process: Process | None) -> _StateFile | None:
        """Return the state file of this process, not one left by a killed process with the same id."""
        if process is None:
            return None
        raw = files.read_from(os.path.join(home, "sessions", f"{process.pid}.json"), 0, 1 << 16)
        try:
            state = jsontext.decode(raw, _StateFile) if raw else None
        except msgspec.DecodeError:
            return None
        if state is None or (state.proc_start and process.started and state.proc_start != process.started):
            return None
        return state

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        process = next((process for process in view.processes if process.pid == binding.pid), None)
        if process is None:
            return super().watch_paths(view, binding)
        live_file = os.path.join(self._session_home(view, process), "sessions", f"{process.pid}.json")
        return (live_file, *super().watch_paths(view, binding))

    def collect_reports(self, view: View, binding: Binding) -> list[AgentReport]:
        reports = [self._hook_report(view), self._title_report(view), self._transcript_report(view)]
        process = next((process for process in view.processes if process.pid == binding.pid), None)
        state = self._read_state_file(self._session_home(view, process), process)
        if state is not None:
            reports.insert(
                0, _build_report("agent_file", state.state, state.waiting_for, state.error, 0.0, state.detail)
            )
        return [report for report in reports if report is not None]

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        match hook.get("hook"):
            case "UserPromptSubmit":
                return "prompt"
            case "Stop" | "StopFailure":
                return "end"
        return ""

    @staticmethod
    def _hook_report(view: View) -> AgentReport | None:
        for hook in reversed(view.hooks):
            at = _number(hook.get("at"))
            match hook.get("hook"):
                case "UserPromptSubmit" | "PostToolUse":
                    return _build_report("hook", "thinking", at=at)
                case "PreToolUse":
                    return _build_report("hook", "tool", at=at)
                case "PermissionRequest":
                    kind = "question" if hook.get("tool_name") == QUESTION_TOOL else "permission"
                    return _build_report("hook", "waiting", kind, at=at)
                case "Notification":
                    return _build_report("hook", "waiting", str(hook.get("notification_type", "dialog")), at=at)
                case "Stop" | "SessionStart":
                    return _build_report("hook", "idle", at=at)
                case "StopFailure":
                    return _build_report("hook", "error", error=str(hook.get("error", "unknown")), at=at)
        return None

    @staticmethod
    def _title_report(view: View) -> AgentReport | None:
        name, _, word = view.title.partition(": ")
        return _build_report("title", word) if name == "scripted" and word else None

    @staticmethod
    def _transcript_report(view: View) -> AgentReport | None:
        open_tools: set[str] = set()
        report = None
        for frame in view.frames:
            if frame.kind == "tool_use":
                open_tools.add(frame.tool_id)
            elif frame.kind == "tool_result":
                open_tools.discard(frame.tool_id)
            if frame.kind == "turn_end":
                word = {"completed": "idle", "failed": "error", "interrupted": "interrupted"}.get(frame.reason, "idle")
                report = _build_report("transcript", word, error=report.error if report else "", at=frame.at)
            elif frame.kind == "error":
                report = _build_report("transcript", "error", error=frame.error, at=frame.at)
            else:
                report = _build_report("transcript", "tool" if open_tools else "thinking", at=frame.at)
        return report

    # -- reading: what does one line of the transcript say? -------------------------------------------------------

    def parse_frames(self, line: bytes, offset: int) -> list[Frame]:
        try:
            record = jsontext.decode(line, dict[str, Any])
            return [_build_frame(record, offset)]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return []  # an unknown, broken or half-written line

    def layout(self) -> Layout:
        from lisa_py.terminal.layout import INTERRUPTIBLE, Layout  # noqa: PLC0415 - only screens of unknown origin

        return Layout(
            input_glyphs="❯",
            reply_glyphs="●",
            spinner=rf"\s*(?:✻ )?{INTERRUPTIBLE}",
            furniture=r"(?:ready|working|waiting) · .*(?:sends|interrupt|cancel)\b",
        )

    # -- sending -----------------------------------------------------------------------------------------------

    def find_composer(self, screen: str) -> Composer:
        rows = [row.rstrip() for row in screen.rstrip().split("\n")]
        at = next((at for at in range(len(rows) - 2, 0, -1) if rows[at].startswith("❯") and _is_rule(rows[at - 1])), 0)
        if not at or not _is_rule(rows[at + 1]):
            return Composer("none")
        text = rows[at].removeprefix("❯").strip()
        return Composer("holds", text) if text else Composer("empty")

    def find_choices(self, screen: str) -> tuple[ScreenChoice, ...]:
        return super().find_choices(screen) if self.find_composer(screen).kind == "none" else ()

    def read_questions(self, tool_name: str, tool_input: object) -> tuple[DialogQuestion, ...]:
        from lisa_py.contract.dialogs import parse_questions  # noqa: PLC0415 - only open dialogs

        return parse_questions(tool_input) if tool_name == QUESTION_TOOL else ()

    def format_hook_answer(self, answer: HookAnswer, tool_input: object) -> str:
        from lisa_py.agents import _permission_hook  # noqa: PLC0415 - only answers to dialogs

        return _permission_hook.format_answer(answer, tool_input)

    def clear_keys(self, draft: str) -> tuple[str, ...]:
        return ("C-u",)

    def read_question(self, screen: str) -> str:
        from lisa_py.terminal import choices as terminal_choices  # noqa: PLC0415 - only dialogs

        lines = screen.split("\n")
        echo = max((at for at, line in enumerate(lines) if re.match(r"❯ (?!\d+\. )\S", line)), default=-1)
        return terminal_choices.read_question(lines[echo + 1 :], self.find_choices(screen))

    def find_acceptance(self, text: str, since: float, view: View, binding: Binding) -> Acceptance:
        body, joined = text.strip(), ""
        for frame in view.frames:
            seen = frame.text.strip()
            if frame.at >= since and frame.kind in ("user", "system") and body in seen:
                if seen == body:
                    return Acceptance(source="transcript")
                joined = seen.replace(body, " ", 1).strip() if frame.kind == "user" else joined
        for hook in view.hooks:
            # its hook program cuts long texts
            matches = str(hook.get("prompt", "")).strip()[:1000] == body[:1000]
            if hook.get("hook") == "UserPromptSubmit" and matches and _number(hook.get("at")) >= since:
                return Acceptance(source="hook")
        return Acceptance(joined_with=joined)


_KINDS = frozenset(
    ("user", "assistant", "thinking", "tool_use", "tool_result", "usage", "error", "turn_start", "turn_end", "result")
)
_STATES = frozenset(
    ("starting", "idle", "thinking", "streaming", "tool", "retrying", "waiting", "interrupted", "error")
)
_WAITING_KINDS = frozenset(("prompt", "permission", "question", "trust", "login", "bypass", "update", "limit", "error"))


def _build_report(
    source: Any, state: str, waiting_for: str = "", error: str = "", at: float = 0.0, detail: str = ""
) -> AgentReport:
    word: Any = state if state in _STATES else "unknown"
    wait: Any = (waiting_for if waiting_for in _WAITING_KINDS else "dialog") if word == "waiting" else ""
    return AgentReport(source=source, state=word, waiting_for=wait, error=error, at=at, detail=detail)


def _build_frame(record: dict[str, Any], offset: int) -> Frame:
    kind = record["type"]
    usage = None
    if kind == "usage":
        read, written = int(record.get("input_tokens", 0)), int(record.get("output_tokens", 0))
        model = str(record.get("model", ""))
        usage = Usage(input_tokens=read, output_tokens=written, total_tokens=read + written, model=model)
    return Frame(
        kind=kind if kind in _KINDS else "system",
        at=float(record.get("at", 0)),
        text=record.get("text", ""),
        id=record.get("id", ""),
        turn=record.get("turn", ""),
        tool=record.get("tool", ""),
        tool_id=record.get("toolId", ""),
        input=record.get("input"),
        failed=bool(record.get("failed", False)),
        error=record.get("error", ""),
        reason=record.get("reason", kind if kind not in _KINDS else ""),
        subtype=record.get("subtype", ""),
        usage=usage,
        todos=tuple(Todo(todo["text"], todo["status"]) for todo in record.get("todos", ())),
        queued=bool(record.get("queued", False)),
        offset=offset,
    )


def _new_uuid() -> str:
    """Return a version 4 UUID; the uuid module would cost more than the rest of this file."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _is_rule(row: str) -> bool:
    return row.startswith("───") and not row.strip("─")


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


AGENT = ScriptedAgent()
