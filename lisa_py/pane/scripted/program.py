"""The agent's command line, its dialogue on a terminal, and its exec run."""

from __future__ import annotations

import os
import select
import sys
import time

from . import signals
from .state_files import StateFiles
from .turn import ExitRequest, ScriptedTurn, UserInterrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .terminal import Terminal

USAGE = """scripted [OPTIONS] [PROMPT]         talk on the terminal
scripted exec [OPTIONS] PROMPT      do one prompt and leave

  --session-id ID   conversation id to use      --resume ID   go on with a conversation
  --hook COMMAND    called with an event name; the event's JSON is on its standard input
  --permission-hook COMMAND  the same for PermissionRequest alone; it may wait and print a decision
  --yes             permit every command        --alt-screen  use the alternate screen
  --dialog KIND     show a dialog before the first prompt (trust, login, update, ...)
  --stdin           exec: read the prompt from standard input
  --model NAME      accepted and ignored        --version     print the version and leave
"""
VERSION = "scripted 1.0.0"
_VALUE_OPTIONS = ("--session-id", "--resume", "--hook", "--permission-hook", "--dialog", "--model")


class Options:
    """Options of the command line."""

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
            if name in _VALUE_OPTIONS:
                self.values[name] = value if equals else (rest.pop(0) if rest else "")
            elif word.startswith("--"):
                self.switches.add(word)
            else:
                self.prompt = word


def main(words: list[str]) -> int:
    """Run the agent and return the exit code."""
    options = Options(words)
    if options.switches & {"--help", "--version"}:
        sys.stdout.write(USAGE if "--help" in options.switches else VERSION + "\n")
        return 0
    unknown = options.switches - {"--yes", "--alt-screen", "--stdin"}
    if unknown:
        sys.stderr.write(f"scripted: unknown option {min(unknown)}\n{USAGE}")
        return 2
    home = os.environ.get("SCRIPTED_HOME") or os.path.join(os.path.expanduser("~"), ".scripted")
    session_id = options.values.get("--resume") or options.values.get("--session-id", "")
    state_files = StateFiles(
        home, session_id, options.values.get("--hook", ""), options.values.get("--permission-hook", "")
    )
    source = "resume" if "--resume" in options.values else "startup"
    for number in (signals.SIGTERM, signals.SIGHUP):
        signals.signal(number, _handle_signal)
    try:
        return (
            _run_exec(state_files, options, source)
            if options.exec_mode
            else _run_interactive(state_files, options, source)
        )
    except ExitRequest as exit_request:
        state_files.call_hook("SessionEnd", reason=exit_request.reason)
        return exit_request.code
    finally:
        state_files.remove_state()


def _handle_signal(number: int, frame: object) -> None:
    raise ExitRequest(128 + number, "signal")


# -- on a terminal ---------------------------------------------------------------------------------------------


def _run_interactive(state_files: StateFiles, options: Options, source: str) -> int:
    from .terminal import Hangup, Terminal, is_terminal  # noqa: PLC0415 - an exec run has no terminal

    if not is_terminal():
        sys.stderr.write("scripted: standard input is not a terminal (scripted exec PROMPT runs without one)\n")
        return 2
    with Terminal("scripted", alternate="--alt-screen" in options.switches) as interface:
        interface.print(f"{VERSION} · {os.getcwd()}\nA scripted agent: it does what the prompt's directives say.\n")
        granted = {"*"} if "--yes" in options.switches else set()
        try:
            _start_conversation(state_files, interface, options, source)
            while True:
                _run_next_prompt(state_files, interface, granted)
        except Hangup:
            raise ExitRequest(129, "hangup") from None
        except ExitRequest as exit_request:
            interface.print(f"  Bye. To go on: scripted --resume {state_files.session_id}")
            raise exit_request from None


def _start_conversation(state_files: StateFiles, interface: Terminal, options: Options, source: str) -> None:
    interface.on_queue = lambda text: _record_queued_prompt(state_files, interface, text)
    kind = options.values.get("--dialog", "")
    if kind:
        state_files.write_state("waiting", waiting_for=kind, detail=f"{kind} dialog")
        try:
            refused = interface.choose(f"Do you {kind} this folder?", os.getcwd(), ["Yes, continue", "No, exit"]) == 1
        except UserInterrupt:
            refused = True
        if refused:
            raise ExitRequest(1, "refused")
    state_files.call_hook("SessionStart", source=source)
    state_files.write_state("idle")
    interface.show_state("idle")
    if options.prompt:
        interface.queue.append(options.prompt)


def _record_queued_prompt(state_files: StateFiles, interface: Terminal, text: str) -> None:
    """Queue a submitted prompt; the transcript records it at once."""
    if state_files.state not in ("idle", "interrupted", "error") and not text.startswith("/"):
        state_files.append_record("queued", text=text)
        state_files.write_state(state_files.state, queued=interface.queued)


def _run_next_prompt(state_files: StateFiles, interface: Terminal, granted: set[str]) -> None:
    waited = bool(interface.queue) and state_files.turn != ""
    try:
        text = interface.wait_for_prompt()
    except UserInterrupt:
        return
    if text.startswith("/") and "\n" not in text:
        _run_slash_command(state_files, interface, text.strip())
        return
    interface.print("\n❯ " + (text if len(text) < 4000 else f"[{len(text)} characters]"))
    ScriptedTurn(state_files, interface, granted).run(text, queued=waited)


def _run_slash_command(state_files: StateFiles, interface: Terminal, text: str) -> None:
    word, _, rest = text.partition(" ")
    if word in ("/exit", "/quit"):
        raise ExitRequest(0, "prompt_input_exit")
    if word in ("/clear", "/new", "/resume"):
        from .state_files import new_id  # noqa: PLC0415 - rare

        state_files.session_id = rest.strip() if word == "/resume" and rest else new_id()
        state_files.turn = ""
        state_files.write_state("idle")
        interface.print(f"  {word}: conversation {state_files.session_id}")
        state_files.call_hook("SessionStart", source=word[1:])
    else:
        interface.print(f"  unknown command {word}; there are /clear, /new, /resume ID, /exit")
    state_files.write_state("idle")
    interface.show_state("idle")


# -- exec run -------------------------------------------------------------------------------------------------


class ExecInterface:
    """Interface of an exec run: progress on stderr, the answer on stdout, no user to ask."""

    queued = 0

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def print(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def show_partial(self, text: str) -> None:
        pass

    def set_title(self, text: str) -> None:
        pass

    def ignore_input(self, seconds: float) -> None:
        pass

    def show_state(self, state: str) -> None:
        pass

    def pump(self, seconds: float, handle: int = -1) -> bool:
        if handle < 0:
            time.sleep(seconds)
            return False
        return bool(select.select([handle], [], [], seconds)[0])

    def choose(self, title: str, detail: str, choices: list[str], handle: int = -1) -> int:
        self.print(f"  {title} {choices[0] if self._yes else choices[-1]} (no user to ask)")
        return 0 if self._yes else len(choices) - 1


def _run_exec(state_files: StateFiles, options: Options, source: str) -> int:
    prompt = sys.stdin.read() if "--stdin" in options.switches else options.prompt
    if not prompt.strip():
        sys.stderr.write("scripted: no prompt\n")
        return 2
    state_files.call_hook("SessionStart", source=source)
    state_files.write_state("starting")
    yes = "--yes" in options.switches
    turn = ScriptedTurn(state_files, ExecInterface(yes=yes), {"*"} if yes else set())
    try:
        outcome = turn.run(prompt, queued=False)
    except KeyboardInterrupt:
        state_files.append_record("turn_end", reason="interrupted")
        raise ExitRequest(130, "interrupt") from None
    if outcome == "completed":
        state_files.append_record("result", text=turn.answer)
        sys.stdout.write(turn.answer + "\n")
        sys.stdout.flush()
    state_files.call_hook("SessionEnd", reason="other")
    return 0 if outcome == "completed" else 1
