"""What the verdict decides about a session, before it is put into the words of a status."""

from __future__ import annotations

import signal

from msgspec import Struct

from lisa_py.contract.status import AgentState, SessionStateWord, StateSource, WaitingFor


class Outcome(Struct, frozen=True, kw_only=True):
    """What a rule decides."""

    state: SessionStateWord
    reason: str
    source: StateSource
    agent_state: AgentState = "unknown"
    waiting_for: WaitingFor = ""
    detail: str = ""
    error: str = ""
    code: str = ""
    """`errorCode` of the answer."""
    exit_code: int | None = None
    complete: bool = False
    """The newest turn has ended."""

    @property
    def active(self) -> bool:
        return self.state in ("in_progress", "just_started")


def describe_exit(code: int) -> str:
    """How an exit code reads: `exited with 3`, `ended by SIGKILL`."""
    number = exit_signal_number(code)
    return f"the agent was ended by {signal_name(number)}" if number else f"the agent exited with {code}"


def exit_signal_number(code: int | None) -> int:
    """The signal behind a shell's 128+n code, else 0."""
    return code - 128 if code is not None and 128 < code < 160 else 0


def signal_name(number: int | str) -> str:
    """`SIGKILL` for 9, `9` or `KILL` (tmux says either)."""
    word = str(number)
    if not word.isdigit():
        return word if word.startswith("SIG") else "SIG" + word
    try:
        return signal.Signals(int(word)).name
    except ValueError:
        return f"signal {word}"
