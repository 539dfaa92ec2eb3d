"""One turn: the agent does what the prompt's directives say, step by step."""

from __future__ import annotations

import os
import time

from . import script, signals
from .memory import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Face(Protocol):
        """Whoever the agent shows itself to: a terminal, or the caller of an exec run."""

        def print(self, text: str) -> None: ...
        def partial(self, text: str) -> None: ...
        def title(self, text: str) -> None: ...
        def deaf(self, seconds: float) -> None: ...
        def show(self, doing: str) -> None: ...
        def pump(self, seconds: float, handle: int = -1) -> bool: ...
        def choose(self, title: str, detail: str, choices: list[str]) -> int: ...
        @property
        def queued(self) -> int: ...


class Interrupted(Exception):
    """The user pressed Escape."""


class Failed(Exception):
    """The turn ends in an error of this kind."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Leave(Exception):
    """The process is to end in good order with this code."""

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
GRANT = ["Yes", "Yes, and do not ask again", "No"]


class Turn:
    """The steps of one prompt; every verb is the method of its name."""

    def __init__(self, memory: Memory, face: Face, granted: set[str]) -> None:
        self._memory = memory
        self._face = face
        self._granted = granted
        self._last = ""
        self._tools = 0
        self.answer = ""

    def run(self, prompt: str, *, queued: bool) -> str:
        """Do the whole turn; returns how it ended: completed, failed or interrupted."""
        memory = self._memory
        memory.turn = f"turn-{time.time_ns()}"
        memory.record("turn_start")
        memory.record("user", text=prompt, queued=queued)
        self._now("thinking")
        memory.fire("UserPromptSubmit", prompt=prompt[:2000])
        try:
            self._steps(prompt)
        except Interrupted:
            memory.record("turn_end", reason="interrupted")
            self._face.print("  Interrupted. What should be done instead?")
            self._now("interrupted")
            return "interrupted"
        except Failed as problem:
            memory.record("error", error=problem.kind, text=problem.text)
            memory.record("turn_end", reason="failed")
            self._face.print(f"! Error ({problem.kind}): {problem.text}")
            self._now("error", error=problem.kind, detail=problem.text)
            memory.fire("StopFailure", error=problem.kind, error_details=problem.text)
            return "failed"
        tokens = {"input_tokens": len(prompt) // 4 + 1, "output_tokens": len(self.answer) // 4 + 1}
        memory.record("usage", **tokens)
        memory.record("turn_end", reason="completed")
        self._now("idle")
        memory.fire("Stop", last_assistant_message=self.answer[:2000])
        return "completed"

    def _steps(self, prompt: str) -> None:
        steps = script.parse(prompt)
        for verb, rest in steps:
            getattr(self, "do_" + verb)(rest)
        if not steps:
            self._face.pump(0.1)
            head = prompt.strip().split("\n", 1)[0][:200]
            self.do_say(f"I was told {len(prompt)} characters: {head}")
        elif not self.answer:
            self.do_say("done")

    def _now(self, state: str, **more: str) -> None:
        self._memory.now(state, queued=self._face.queued, **more)
        self._face.show(state)

    # -- passing time ------------------------------------------------------------------------------------------

    def do_think(self, rest: str) -> None:
        self._now("thinking")
        self._memory.record("thinking", text="thinking about it")
        self.do_wait(rest or "0.2")

    def do_wait(self, rest: str) -> None:
        seconds, path = script.number(rest, -1.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end if seconds >= 0 else not os.path.exists(path):
            self._face.pump(min(0.01, seconds) if seconds >= 0 else 0.01)

    def do_touch(self, rest: str) -> None:
        with open(rest, "w", encoding="utf-8"):
            pass

    def do_hang(self, rest: str) -> None:
        seconds, _ = script.number(rest, 1e9)
        time.sleep(min(seconds, 1e8))

    def do_deaf(self, rest: str) -> None:
        seconds, _ = script.number(rest, 1.0)
        self._face.deaf(seconds)

    def do_spin(self, rest: str) -> None:
        seconds, _ = script.number(rest, 1.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    # -- saying ------------------------------------------------------------------------------------------------

    def do_say(self, rest: str) -> None:
        self._say(rest.replace("{last}", self._last.strip()))

    def _say(self, text: str) -> None:
        self.answer = text
        self._memory.record("assistant", text=text)
        self._face.print("● " + text)

    def do_stream(self, rest: str) -> None:
        pause, text = script.number(rest, 0.05)
        self._now("streaming")
        shown = ""
        for word in text.split():
            shown = f"{shown} {word}" if shown else word
            self._face.partial("● " + shown)
            self._face.pump(pause)
        self._face.partial("")
        self._say(text)

    def do_lines(self, rest: str) -> None:
        count, text = script.number(rest, 10)
        self._now("streaming")
        self._say("\n".join(f"{text or 'line'} {index + 1}" for index in range(int(count))))

    def do_title(self, rest: str) -> None:
        self._face.title(rest)

    def do_todos(self, rest: str) -> None:
        todos = script.todos(rest)
        self._tools += 1
        plain = [{"text": text, "status": status} for text, status in todos]
        ident = f"{self._memory.turn}-{self._tools}"
        self._memory.record("tool_use", tool="todos", toolId=ident, text=rest, todos=plain)
        self._memory.record("tool_result", toolId=ident, text="ok", failed=False)
        marks = {"completed": "☒", "in_progress": "◐", "pending": "☐"}
        self._face.print("\n".join(f"  {marks[status]} {text}" for text, status in todos))

    # -- tools and questions -----------------------------------------------------------------------------------

    def do_run(self, rest: str) -> None:
        ident = self._use(rest)
        self._tool(rest, ident)

    def do_ask(self, rest: str) -> None:
        ident = self._use(rest)
        if rest not in self._granted and "*" not in self._granted:
            self._memory.now("waiting", waiting_for="permission", detail=rest[:200], queued=self._face.queued)
            self._memory.fire("PermissionRequest", tool_name="shell", tool_input={"command": rest[:2000]})
            answer = self._face.choose("Do you want to run this command?", rest, GRANT)
            if answer == 1:
                self._granted.add(rest)
            if answer == 2:
                self._memory.record("tool_result", toolId=ident, text="denied by the user", failed=True)
                self._now("thinking")
                return
        self._tool(rest, ident)

    def do_choose(self, rest: str) -> None:
        question, *choices = [*script.parts(rest), ""][: -1 or None]
        answer = self._dialog("question", question, choices or ["Yes", "No"])
        self._say(f"You chose: {answer}")

    def do_dialog(self, rest: str) -> None:
        kind, _, more = rest.partition(" ")
        title, *choices = script.parts(more) or [kind]
        self._dialog(kind, title, choices or ["Continue", "Exit"])

    def _dialog(self, kind: str, title: str, choices: list[str]) -> str:
        self._memory.now("waiting", waiting_for=kind, detail=title[:200], queued=self._face.queued)
        self._memory.fire("Notification", notification_type=kind, message=title[:2000])
        answer = choices[self._face.choose(title, "", choices)]
        self._now("thinking")
        return answer

    def _use(self, command: str) -> str:
        self._tools += 1
        ident = f"{self._memory.turn}-{self._tools}"
        self._memory.record("tool_use", tool="shell", toolId=ident, text=command)
        self._memory.fire("PreToolUse", tool_name="shell", tool_input={"command": command[:2000]}, tool_use_id=ident)
        return ident

    def _tool(self, command: str, ident: str) -> None:
        self._now("tool", detail=command[:200])
        self._face.print(f"● Run: {command}")
        status, output = self._shell(command)
        self._last = output
        self._memory.record("tool_result", toolId=ident, text=output[:20_000], failed=status != 0)
        head = output.rstrip().split("\n")
        self._face.print("\n".join("  " + line for line in head[:20]) + ("\n  ..." if len(head) > 20 else ""))
        self._now("thinking")
        self._memory.fire("PostToolUse", tool_name="shell", tool_use_id=ident, exit_code=status)

    def _shell(self, command: str) -> tuple[int, str]:
        """Run the command in a session of its own, as real agents do; Escape ends its whole process group."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _become(command, writer)
        os.close(writer)
        parts = []
        try:
            while True:
                if not self._face.pump(1.0, reader):
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

    # -- ending badly ------------------------------------------------------------------------------------------

    def do_retry(self, rest: str) -> None:
        kind, _, more = rest.partition(" ")
        times, more = script.number(more, 1)
        pause, _ = script.number(more, 0.2)
        for attempt in range(1, int(times) + 1):
            detail = f"{ERRORS.get(kind, kind)}, retrying ({attempt}/{int(times)})"
            self._now("retrying", error=kind, detail=detail)
            self._face.print("  " + detail)
            self.do_wait(str(pause))
        self._now("thinking")

    def do_error(self, rest: str) -> None:
        kind, _, text = rest.partition(" ")
        raise Failed(kind or "unknown", text or ERRORS.get(kind, "something went wrong"))

    def do_limit(self, rest: str) -> None:
        raise Failed("usage_limit", rest or "usage limit reached, try again in five hours")

    def do_ignore(self, rest: str) -> None:
        for name in rest.split():
            signals.signal(signals.number(name), signals.SIG_IGN)

    def do_crash(self, rest: str) -> None:
        if rest.lstrip("-").isdigit():
            os._exit(int(rest))
        number = signals.number(rest or "KILL")
        signals.signal(number, signals.SIG_DFL) if number != signals.SIGKILL else None
        os.kill(os.getpid(), number)

    def do_exit(self, rest: str) -> None:
        raise Leave(int(rest or 0))


def _become(command: str, writer: int) -> None:
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (writer, 1), (writer, 2)):
            os.dup2(source, target)
        os.execv("/bin/sh", ["/bin/sh", "-c", command])
    finally:
        os._exit(127)
