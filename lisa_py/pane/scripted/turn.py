"""Execute the directives of one prompt."""

from __future__ import annotations

import os
import time

from . import script, signals
from .state_files import StateFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class UserInterface(Protocol):
        """User interface of the agent: a terminal, or the caller of an exec run."""

        def print(self, text: str) -> None: ...
        def show_partial(self, text: str) -> None: ...
        def set_title(self, text: str) -> None: ...
        def ignore_input(self, seconds: float) -> None: ...
        def show_state(self, state: str) -> None: ...
        def pump(self, seconds: float, handle: int = -1) -> bool: ...
        def choose(self, title: str, detail: str, choices: list[str], handle: int = -1) -> int: ...
        @property
        def queued(self) -> int: ...


class UserInterrupt(Exception):
    """The user pressed Escape."""


class TurnFailure(Exception):
    """The turn ends in an error of this kind."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class ExitRequest(Exception):
    """The process exits cleanly with this code."""

    def __init__(self, code: int, reason: str = "other") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


ERRORS = {
    "auth": "401 invalid api key",
    "billing": "credit balance is too low",
    "rate_limit": "429 too many requests",
    "usage_limit": "usage limit reached",
    "server": "500 internal server error",
    "overloaded": "529 overloaded",
    "network": "connection refused",
    "too_long": "prompt is too long",
}
QUESTION_TOOL = "ask_user"
PERMISSION_CHOICES = ["Yes", "Yes, and do not ask again", "No"]


class ScriptedTurn:
    """The steps of one prompt; the method `do_<verb>` executes a verb."""

    def __init__(self, state_files: StateFiles, interface: UserInterface, granted: set[str]) -> None:
        self._state_files = state_files
        self._interface = interface
        self._granted = granted
        self._last = ""
        self._tools = 0
        self.answer = ""

    def run(self, prompt: str, *, queued: bool) -> str:
        """Execute the turn and return completed, failed or interrupted."""
        state_files = self._state_files
        state_files.turn = f"turn-{time.time_ns()}"
        state_files.append_record("turn_start")
        state_files.append_record("user", text=prompt, queued=queued)
        self._set_state("thinking")
        state_files.call_hook("UserPromptSubmit", prompt=prompt[:2000])
        try:
            self._run_steps(prompt)
        except UserInterrupt:
            state_files.append_record("turn_end", reason="interrupted")
            self._interface.print("  Interrupted. What should be done instead?")
            self._set_state("interrupted")
            return "interrupted"
        except TurnFailure as problem:
            state_files.append_record("error", error=problem.kind, text=problem.text)
            state_files.append_record("turn_end", reason="failed")
            self._interface.print(f"! Error ({problem.kind}): {problem.text}")
            self._set_state("error", error=problem.kind, detail=problem.text)
            state_files.call_hook("StopFailure", error=problem.kind, error_details=problem.text)
            return "failed"
        tokens = {"input_tokens": len(prompt) // 4 + 1, "output_tokens": len(self.answer) // 4 + 1}
        state_files.append_record("usage", **tokens)
        state_files.append_record("turn_end", reason="completed")
        self._set_state("idle")
        state_files.call_hook("Stop", last_assistant_message=self.answer[:2000])
        return "completed"

    def _run_steps(self, prompt: str) -> None:
        steps = script.parse_directives(prompt)
        for verb, rest in steps:
            getattr(self, "do_" + verb)(rest)
        if not steps:
            self._interface.pump(0.1)
            head = prompt.strip().split("\n", 1)[0][:200]
            self.do_say(f"The prompt has {len(prompt)} characters: {head}")
        elif not self.answer:
            self.do_say("done")

    def _set_state(self, state: str, **more: str) -> None:
        self._state_files.write_state(state, queued=self._interface.queued, **more)
        self._interface.show_state(state)

    # -- waiting -----------------------------------------------------------------------------------------------

    def do_think(self, rest: str) -> None:
        self._set_state("thinking")
        self._state_files.append_record("thinking", text="thinking about it")
        self.do_wait(rest or "0.2")

    def do_wait(self, rest: str) -> None:
        seconds, path = script.parse_number(rest, -1.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end if seconds >= 0 else not os.path.exists(path):
            self._interface.pump(min(0.01, seconds) if seconds >= 0 else 0.01)

    def do_touch(self, rest: str) -> None:
        with open(rest, "w", encoding="utf-8"):
            pass

    def do_hang(self, rest: str) -> None:
        seconds, _ = script.parse_number(rest, 1e9)
        time.sleep(min(seconds, 1e8))

    def do_deaf(self, rest: str) -> None:
        seconds, _ = script.parse_number(rest, 1.0)
        self._interface.ignore_input(seconds)

    def do_spin(self, rest: str) -> None:
        seconds, _ = script.parse_number(rest, 1.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    # -- output ------------------------------------------------------------------------------------------------

    def do_say(self, rest: str) -> None:
        self._record_reply(rest.replace("{last}", self._last.strip()))

    def _record_reply(self, text: str) -> None:
        self.answer = text
        self._state_files.append_record("assistant", text=text)
        self._interface.print("● " + text)

    def do_stream(self, rest: str) -> None:
        pause, text = script.parse_number(rest, 0.05)
        self._set_state("streaming")
        shown = ""
        for word in text.split():
            shown = f"{shown} {word}" if shown else word
            self._interface.show_partial("● " + shown)
            self._interface.pump(pause)
        self._interface.show_partial("")
        self._record_reply(text)

    def do_lines(self, rest: str) -> None:
        count, text = script.parse_number(rest, 10)
        self._set_state("streaming")
        self._record_reply("\n".join(f"{text or 'line'} {index + 1}" for index in range(int(count))))

    def do_usage(self, rest: str) -> None:
        read, rest = script.parse_number(rest, 0)
        written, model = script.parse_number(rest, 0)
        self._state_files.append_record("usage", input_tokens=int(read), output_tokens=int(written), model=model)

    def do_title(self, rest: str) -> None:
        self._interface.set_title(rest)

    def do_todos(self, rest: str) -> None:
        todos = script.parse_todos(rest)
        self._tools += 1
        plain = [{"text": text, "status": status} for text, status in todos]
        tool_id = f"{self._state_files.turn}-{self._tools}"
        self._state_files.append_record("tool_use", tool="todos", toolId=tool_id, text=rest, todos=plain)
        self._state_files.append_record("tool_result", toolId=tool_id, text="ok", failed=False)
        marks = {"completed": "☒", "in_progress": "◐", "pending": "☐"}
        self._interface.print("\n".join(f"  {marks[status]} {text}" for text, status in todos))

    # -- tools and questions -----------------------------------------------------------------------------------

    def do_run(self, rest: str) -> None:
        tool_id = self._record_tool_use(rest)
        self._run_tool(rest, tool_id)

    def do_ask(self, rest: str) -> None:
        tool_id = self._record_tool_use(rest)
        if rest not in self._granted and "*" not in self._granted:
            self._state_files.write_state(
                "waiting", waiting_for="permission", detail=rest[:200], queued=self._interface.queued
            )
            child, output = self._state_files.ask_hook(
                "PermissionRequest", tool_name="shell", tool_input={"command": rest[:2000]}
            )
            answer = self._interface.choose("Do you want to run this command?", rest, PERMISSION_CHOICES, output)
            decided = _read_decision(child, output) if answer < 0 else {}
            if answer < 0 and not decided:
                answer = self._interface.choose("Do you want to run this command?", rest, PERMISSION_CHOICES)
            if answer == 1 or decided.get("updatedPermissions"):
                self._granted.add("*" if decided else rest)
            if answer == 2 or decided.get("behavior") == "deny":
                text = str(decided.get("message", "denied by the user"))
                self._state_files.append_record("tool_result", toolId=tool_id, text=text, failed=True)
                self._set_state("thinking")
                return
            changed = decided.get("updatedInput")
            rest = str(changed.get("command", rest)) if isinstance(changed, dict) else rest
        self._run_tool(rest, tool_id)

    def do_question(self, rest: str) -> None:
        """Ask questions as a tool, whose hook may give the answers; else one after the other on the screen."""
        questions = script.parse_questions(rest)
        self._tools += 1
        tool_id = f"{self._state_files.turn}-{self._tools}"
        call = {"tool_name": QUESTION_TOOL, "tool_input": {"questions": questions}}
        self._state_files.append_record(
            "tool_use", tool=QUESTION_TOOL, toolId=tool_id, text=rest, input=call["tool_input"]
        )
        self._state_files.call_hook("PreToolUse", **call, tool_use_id=tool_id)
        self._state_files.write_state("waiting", waiting_for="question", detail=str(questions[0]["question"])[:200])
        child, output = self._state_files.ask_hook("PermissionRequest", **call)
        answers: dict[str, str] = {}
        for question in questions:
            title, options = str(question["question"]), question["options"]
            choices = [option["label"] for option in options] if isinstance(options, list) else []
            picked = self._interface.choose(title, "", choices, output)
            decided = _read_decision(child, output) if picked < 0 else {}
            given = decided.get("updatedInput")
            if isinstance(given, dict):
                answers = given["answers"]
                break
            if picked < 0:
                output, picked = -1, self._interface.choose(title, "", choices)
            answers[title] = choices[picked]
        self._last = "; ".join(f"{title}={answer}" for title, answer in answers.items())
        self._state_files.append_record("tool_result", toolId=tool_id, text=self._last, failed=False)
        self._set_state("thinking")
        self._state_files.call_hook("PostToolUse", **call, tool_use_id=tool_id)
        self._record_reply(f"You chose: {self._last}")

    def do_choose(self, rest: str) -> None:
        question, *choices = [*script.split_parts(rest), ""][: -1 or None]
        answer = self._show_dialog("question", question, choices or ["Yes", "No"])
        self._record_reply(f"You chose: {answer}")

    def do_dialog(self, rest: str) -> None:
        kind, _, more = rest.partition(" ")
        title, *choices = script.split_parts(more) or [kind]
        self._show_dialog(kind, title, choices or ["Continue", "Exit"])

    def _show_dialog(self, kind: str, title: str, choices: list[str]) -> str:
        self._state_files.write_state("waiting", waiting_for=kind, detail=title[:200], queued=self._interface.queued)
        self._state_files.call_hook("Notification", notification_type=kind, message=title[:2000])
        answer = choices[self._interface.choose(title, "", choices)]
        self._set_state("thinking")
        return answer

    def _record_tool_use(self, command: str) -> str:
        self._tools += 1
        tool_id = f"{self._state_files.turn}-{self._tools}"
        self._state_files.append_record("tool_use", tool="shell", toolId=tool_id, text=command)
        self._state_files.call_hook(
            "PreToolUse", tool_name="shell", tool_input={"command": command[:2000]}, tool_use_id=tool_id
        )
        return tool_id

    def _run_tool(self, command: str, tool_id: str) -> None:
        self._set_state("tool", detail=command[:200])
        self._interface.print(f"● Run: {command}")
        status, output = self._run_shell(command)
        self._last = output
        self._state_files.append_record("tool_result", toolId=tool_id, text=output[:20_000], failed=status != 0)
        head = output.rstrip().split("\n")
        self._interface.print("\n".join("  " + line for line in head[:20]) + ("\n  ..." if len(head) > 20 else ""))
        self._set_state("thinking")
        call = {"tool_name": "shell", "tool_input": {"command": command[:2000]}}
        self._state_files.call_hook("PostToolUse", **call, tool_use_id=tool_id, exit_code=status)

    def _run_shell(self, command: str) -> tuple[int, str]:
        """Run the command in a session of its own, as real agents do; Escape ends its whole process group."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _exec_shell(command, writer)
        os.close(writer)
        parts = []
        try:
            while True:
                if not self._interface.pump(1.0, reader):
                    continue
                data = os.read(reader, 65536)
                if not data:
                    break
                parts.append(data)
            _, status = os.waitpid(child, 0)
        except BaseException:
            os.killpg(child, signals.SIGKILL)
            os.waitpid(child, 0)
            raise
        finally:
            os.close(reader)
        return os.waitstatus_to_exitcode(status), b"".join(parts).decode("utf-8", "replace")

    # -- failures ----------------------------------------------------------------------------------------------

    def do_retry(self, rest: str) -> None:
        kind, _, more = rest.partition(" ")
        times, more = script.parse_number(more, 1)
        pause, _ = script.parse_number(more, 0.2)
        for attempt in range(1, int(times) + 1):
            detail = f"{ERRORS.get(kind, kind)}, retrying ({attempt}/{int(times)})"
            self._set_state("retrying", error=kind, detail=detail)
            self._interface.print("  " + detail)
            self.do_wait(str(pause))
        self._set_state("thinking")

    def do_error(self, rest: str) -> None:
        kind, _, text = rest.partition(" ")
        raise TurnFailure(kind or "unknown", text or ERRORS.get(kind, "something went wrong"))

    def do_limit(self, rest: str) -> None:
        raise TurnFailure("usage_limit", rest or "usage limit reached, try again in five hours")

    def do_ignore(self, rest: str) -> None:
        for name in rest.split():
            signals.signal(signals.signal_number(name), signals.SIG_IGN)

    def do_crash(self, rest: str) -> None:
        if rest.lstrip("-").isdigit():
            os._exit(int(rest))
        number = signals.signal_number(rest or "KILL")
        signals.signal(number, signals.SIG_DFL) if number != signals.SIGKILL else None
        os.kill(os.getpid(), number)

    def do_exit(self, rest: str) -> None:
        raise ExitRequest(int(rest or 0))


def _read_decision(child: int, output: int) -> dict[str, object]:
    """Return the decision that a hook printed; empty if it printed none."""
    text = b""
    while part := os.read(output, 65536):
        text += part
    os.close(output)
    os.waitpid(child, 0)
    if not text.strip():
        return {}
    import json  # noqa: PLC0415 - a third of the start

    found = json.loads(text)["hookSpecificOutput"]["decision"]
    return found if isinstance(found, dict) else {}


def _exec_shell(command: str, writer: int) -> None:
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (writer, 1), (writer, 2)):
            os.dup2(source, target)
        os.execv("/bin/sh", ["/bin/sh", "-c", command])
    finally:
        os._exit(127)
