"""The outcome of a verdict rule, and names of exit codes and signals."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.status import AgentState, SessionStateWord, StateSource, WaitingFor


class Outcome(Struct, frozen=True, kw_only=True):
    """The decision of one rule."""

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
    """Return the text for an exit code: `the agent exited with 3`, `the agent was ended by SIGKILL`."""
    number = exit_signal_number(code)
    return f"the agent was ended by {signal_name(number)}" if number else f"the agent exited with {code}"


def exit_signal_number(code: int | None) -> int:
    """Return the signal of a shell's 128+n code, else 0."""
    return code - 128 if code is not None and 128 < code < 160 else 0


def signal_name(number: int | str) -> str:
    """Return `SIGKILL` for 9, `9` or `KILL` (tmux reports either)."""
    word = str(number)
    if not word.isdigit():
        return word if word.startswith("SIG") else "SIG" + word
    import signal  # noqa: PLC0415 - half a millisecond, only for what a signal has ended

    try:
        return signal.Signals(int(word)).name
    except ValueError:
        return f"signal {word}"
