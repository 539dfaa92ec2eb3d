"""The agent's command line, its dialogue on a terminal, and its exec run."""

from __future__ import annotations

import os
import select
import sys
import time

from . import signals
from .memory import Memory
from .turn import Interrupted, Leave, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .terminal import Terminal

USAGE = """scripted [OPTIONS] [PROMPT]         talk on the terminal
scripted exec [OPTIONS] PROMPT      do one prompt and leave

  --session-id ID   conversation id to use      --resume ID   go on with a conversation
  --hook COMMAND    called with an event name; the event's JSON is on its standard input
  --yes             permit every command        --alt-screen  use the alternate screen
  --dialog KIND     show a dialog before the first prompt (trust, login, update, ...)
  --stdin           exec: read the prompt from standard input
  --model NAME      accepted and ignored        --version     print the version and leave
"""
VERSION = "scripted 1.0.0"
_VALUED = ("--session-id", "--resume", "--hook", "--dialog", "--model")


class Options:
    """The words of the command line."""

    def __init__(self, words: list[str]) -> None:
        self.values: dict[str, str] = {}
        self.switches: set[str] = set()
        self.exec_mode = words[:1] == ["exec"]
        rest = words[1:] if self.exec_mode else list(words)
        self.prompt = ""
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if word == "--":
                self.prompt = " ".join(rest)
                break
            if name in _VALUED:
                self.values[name] = value if equals else (rest.pop(0) if rest else "")
            elif word.startswith("--"):
                self.switches.add(word)
            else:
                self.prompt = word


def main(words: list[str]) -> int:
    """Run; returns the exit code."""
    options = Options(words)
    if options.switches & {"--help", "--version"}:
        sys.stdout.write(USAGE if "--help" in options.switches else VERSION + "\n")
        return 0
    unknown = options.switches - {"--yes", "--alt-screen", "--stdin"}
    if unknown:
        sys.stderr.write(f"scripted: unknown option {min(unknown)}\n{USAGE}")
        return 2
    home = os.environ.get("SCRIPTED_HOME") or os.path.join(os.path.expanduser("~"), ".scripted")
    ident = options.values.get("--resume") or options.values.get("--session-id", "")
    memory = Memory(home, ident, options.values.get("--hook", ""))
    source = "resume" if "--resume" in options.values else "startup"
    for number in (signals.SIGTERM, signals.SIGHUP):
        signals.signal(number, _leave)
    try:
        return _exec(memory, options, source) if options.exec_mode else _dialogue(memory, options, source)
    except Leave as leave:
        memory.fire("SessionEnd", reason=leave.reason)
        return leave.code
    finally:
        memory.forget_state()


def _leave(number: int, frame: object) -> None:
    raise Leave(128 + number, "signal")


# -- on a terminal ---------------------------------------------------------------------------------------------


def _dialogue(memory: Memory, options: Options, source: str) -> int:
    from .terminal import Hangup, Terminal, is_terminal  # noqa: PLC0415 - an exec run has no terminal

    if not is_terminal():
        sys.stderr.write("scripted: standard input is not a terminal (scripted exec PROMPT runs without one)\n")
        return 2
    with Terminal("scripted", alternate="--alt-screen" in options.switches) as face:
        face.print(f"{VERSION} · {os.getcwd()}\nA scripted agent: it does what the prompt's directives say.\n")
        granted = {"*"} if "--yes" in options.switches else set()
        try:
            _greet(memory, face, options, source)
            while True:
                _prompt(memory, face, granted)
        except Hangup:
            raise Leave(129, "hangup") from None
        except Leave as leave:
            face.print(f"  Bye. To go on: scripted --resume {memory.session_id}")
            raise leave from None


def _greet(memory: Memory, face: Terminal, options: Options, source: str) -> None:
    face.on_queue = lambda text: _took(memory, face, text)
    kind = options.values.get("--dialog", "")
    if kind:
        memory.now("waiting", waiting_for=kind, detail=f"{kind} dialog")
        try:
            refused = face.choose(f"Do you {kind} this folder?", os.getcwd(), ["Yes, continue", "No, exit"]) == 1
        except Interrupted:
            refused = True
        if refused:
            raise Leave(1, "refused")
    memory.fire("SessionStart", source=source)
    memory.now("idle")
    face.show("idle")
    if options.prompt:
        face.queue.append(options.prompt)


def _took(memory: Memory, face: Terminal, text: str) -> None:
    """A prompt was submitted: while busy it waits its turn, which the transcript says at once."""
    if memory.state not in ("idle", "interrupted", "error") and not text.startswith("/"):
        memory.record("queued", text=text)
        memory.now(memory.state, queued=face.queued)


def _prompt(memory: Memory, face: Terminal, granted: set[str]) -> None:
    waited = bool(face.queue) and memory.turn != ""
    try:
        text = face.wait_for_prompt()
    except Interrupted:
        return
    if text.startswith("/") and "\n" not in text:
        _slash(memory, face, text.strip())
        return
    face.print("\n❯ " + (text if len(text) < 4000 else f"[{len(text)} characters]"))
    Turn(memory, face, granted).run(text, queued=waited)


def _slash(memory: Memory, face: Terminal, text: str) -> None:
    word, _, rest = text.partition(" ")
    if word in ("/exit", "/quit"):
        raise Leave(0, "prompt_input_exit")
    if word in ("/clear", "/new", "/resume"):
        from .memory import new_id  # noqa: PLC0415 - rare

        memory.session_id = rest.strip() if word == "/resume" and rest else new_id()
        memory.turn = ""
        memory.now("idle")
        face.print(f"  {word}: conversation {memory.session_id}")
        memory.fire("SessionStart", source=word[1:])
    else:
        face.print(f"  unknown command {word}; there are /clear, /new, /resume ID, /exit")
    memory.now("idle")
    face.show("idle")


# -- one prompt and out ----------------------------------------------------------------------------------------


class Plain:
    """An exec run's face: progress on standard error, the answer on standard output, nobody to ask."""

    queued = 0

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def print(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def partial(self, text: str) -> None:
        pass

    def title(self, text: str) -> None:
        pass

    def deaf(self, seconds: float) -> None:
        pass

    def show(self, doing: str) -> None:
        pass

    def pump(self, seconds: float, handle: int = -1) -> bool:
        if handle < 0:
            time.sleep(seconds)
            return False
        return bool(select.select([handle], [], [], seconds)[0])

    def choose(self, title: str, detail: str, choices: list[str]) -> int:
        self.print(f"  {title} {choices[0] if self._yes else choices[-1]} (nobody to ask)")
        return 0 if self._yes else len(choices) - 1


def _exec(memory: Memory, options: Options, source: str) -> int:
    prompt = sys.stdin.read() if "--stdin" in options.switches else options.prompt
    if not prompt.strip():
        sys.stderr.write("scripted: no prompt\n")
        return 2
    memory.fire("SessionStart", source=source)
    memory.now("starting")
    yes = "--yes" in options.switches
    turn = Turn(memory, Plain(yes=yes), {"*"} if yes else set())
    try:
        how = turn.run(prompt, queued=False)
    except KeyboardInterrupt:
        memory.record("turn_end", reason="interrupted")
        raise Leave(130, "interrupt") from None
    if how == "completed":
        memory.record("result", text=turn.answer)
        sys.stdout.write(turn.answer + "\n")
        sys.stdout.flush()
    memory.fire("SessionEnd", reason="other")
    return 0 if how == "completed" else 1
