"""How to get a session going again, as commands with the confidence that each is right; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.agents.base import quote
from lisa_py.core.advice import origin
from lisa_py.core.advice.anomaly import Finding
from lisa_py.core.advice.origin import Origin

ASK = "Summarize current blocker and propose one concrete unblocking step."
RESUME = "Resume from failure diagnostics and continue safely."
AGAIN = "Resume task from latest plan and continue."
_GONE = 0.96
_LIVING = ("reason_loop", "degraded_retries", "expectation_churn", "agent_error", "agent_retrying")
_ENDED = ("terminal_stuck", "terminal_crashed")


class Step(Struct, frozen=True):
    """One command."""

    command: str
    reason: str
    confidence: float


class Plan(Struct, frozen=True, kw_only=True):
    """The commands in order."""

    enabled: bool = True
    steps: tuple[Step, ...]
    confidence: float
    """How sure the plan is as a whole."""


class Patient(Struct, frozen=True, kw_only=True):
    """The session the plan is for."""

    session: str
    project_root: str
    origin: Origin
    binary: str

    def line(self, action: str, tail: str) -> str:
        """A command about the session."""
        where = f"--session {quote(self.session)} --project-root {quote(self.project_root)}"
        return f"{self.binary} session {action} {where} {tail}"

    def spawn(self, prompt: str) -> str:
        return origin.spawn(self.origin, self.project_root, self.binary, prompt)


def plan(findings: Sequence[Finding], patient: Patient) -> Plan:
    """Each command once; the confidence is the mean of the steps', but fixed for a session that is gone."""
    codes = {finding.code for finding in findings}
    steps = [Step(patient.line("status", "--json-min"), "see the state as it is now", 0.99)]
    if "session_not_found" in codes:
        prompt = AGAIN if patient.origin.mode == "exec" else ""
        steps.append(Step(patient.spawn(prompt), "the session is gone: start it again as it was", _GONE))
        return Plan(steps=tuple(steps), confidence=_GONE)
    if codes & set(_LIVING):
        steps += _wake(patient)
    if codes & set(_ENDED):
        steps += _restart(patient)
    once = tuple({step.command: step for step in reversed(steps)}.values())[::-1]
    return Plan(steps=once, confidence=sum(step.confidence for step in once) / len(once))


def _wake(patient: Patient) -> list[Step]:
    return [
        Step(
            patient.line("send", f"--text {quote(ASK)} --enter --json-min"), "let the agent name what holds it up", 0.84
        ),
        Step(
            patient.line("monitor", "--expect any --max-polls 8 --poll-interval 2 --json-min"),
            "see whether that got it going",
            0.8,
        ),
    ]


def _restart(patient: Patient) -> list[Step]:
    return [
        Step(patient.line("explain", "--events 40 --json-min"), "see what led here", 0.9),
        Step(patient.line("kill", "--json"), "end what is left of it", 0.78),
        Step(patient.spawn(RESUME), "start it again as it was", 0.74),
    ]
