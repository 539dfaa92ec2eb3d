"""Result of a monitor run in words, for people."""

from __future__ import annotations

from msgspec import UNSET

from lisa_py.contract import command_line
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.workflows.monitor_report import MonitorResult
from lisa_py.terminal import table
from lisa_py.terminal.table import Screen


def read_situation(result: MonitorResult) -> Situation:
    return Situation(
        session_state=result.final_state, waiting_for=result.waiting_for or "", error_kind=result.error_kind
    )


def format_result(result: MonitorResult, screen: Screen) -> str:
    """Return the result and the command that shows more."""
    style = table.ALERT if result.error_code is not UNSET else table.state_style(result.final_state)
    line = screen.paint(style, f"{result.session} {describe_result(result)}")
    if read_situation(result).need in ("input", "reading"):
        return f"{line}\nto read its output: {command_line.build('session capture', session=result.session)}"
    return f"{line}\nmore: {command_line.build('session status', session=result.session)}"


def describe_result(result: MonitorResult) -> str:
    """Return the state of the session at the end of the wait, as a predicate."""
    code = "" if result.exit_code is UNSET else f" with exit code {result.exit_code}"
    if result.final_state == "waiting_input":
        return _describe_waiting(result)
    texts = {
        "completed": f"has ended{code}",
        "crashed": f"has crashed{code}",
        "stuck": "is stuck: neither output nor activity",
        "not_found": "does not exist",
        "timeout": f"is still at work: time or polls are used up ({result.polls} polls)",
    }
    return texts.get(result.final_state, f"is {result.final_state} ({result.exit_reason})")


def _describe_waiting(result: MonitorResult) -> str:
    waiting_for = result.waiting_for or "prompt"
    if waiting_for == "prompt":
        return "has finished its turn and waits for a prompt"
    if waiting_for == "error":
        return f"waits after a turn that failed ({result.error_kind or 'error'})"
    return "has reached its usage limit" if waiting_for == "limit" else f"waits for an answer: {waiting_for}"
