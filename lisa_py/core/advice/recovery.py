"""Recovery plan of a session, as commands with a confidence; none is run."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.core.advice.anomaly import AnomalyFinding
from lisa_py.core.advice.next_step import LOST, RESTART_PROMPT
from lisa_py.core.advice.target import AdviceTarget

ASK_BLOCKER_PROMPT = "Summarize current blocker and propose one concrete unblocking step."
RESUME_PROMPT = "Resume from failure diagnostics and continue safely."
_MISSING_CONFIDENCE = 0.96
_RUNNING_CODES = ("reason_loop", "degraded_retries", "expectation_churn", "agent_error", "agent_retrying")
_ENDED_CODES = ("terminal_stuck", "terminal_crashed")


class RecoveryStep(Struct, frozen=True):
    """One command."""

    command: str
    reason: str
    confidence: float


class RecoveryPlan(Struct, frozen=True, kw_only=True):
    """The commands in order."""

    enabled: bool = True
    steps: tuple[RecoveryStep, ...]
    confidence: float
    """Confidence of the whole plan."""


def plan_recovery(findings: Sequence[AnomalyFinding], target: AdviceTarget) -> RecoveryPlan:
    """Return each command once; the confidence is the mean of the steps, but fixed for a missing session."""
    codes = {finding.code for finding in findings}
    steps = [RecoveryStep(str(target.build_line("session status", json_min=True)), "read the current state", 0.99)]
    if target.resumable and codes & {"session_not_found", "terminal_crashed"}:
        line = target.build_line("session resume", json=True)
        steps.append(RecoveryStep(str(line), f"{LOST}: resume it on its own conversation", _MISSING_CONFIDENCE))
        return RecoveryPlan(steps=tuple(steps), confidence=_MISSING_CONFIDENCE)
    if "session_not_found" in codes:
        prompt = RESTART_PROMPT if target.respawn_options.mode == "exec" else ""
        steps.append(
            RecoveryStep(
                str(target.build_spawn_line(prompt)),
                "the session is gone: start it again with the same options",
                _MISSING_CONFIDENCE,
            )
        )
        return RecoveryPlan(steps=tuple(steps), confidence=_MISSING_CONFIDENCE)
    if codes & set(_RUNNING_CODES):
        steps += _wake_steps(target)
    if codes & set(_ENDED_CODES):
        steps += _restart_steps(target)
    unique_steps = tuple({step.command: step for step in reversed(steps)}.values())[::-1]
    return RecoveryPlan(
        steps=unique_steps, confidence=sum(step.confidence for step in unique_steps) / len(unique_steps)
    )


def _wake_steps(target: AdviceTarget) -> list[RecoveryStep]:
    return [
        RecoveryStep(
            str(target.build_line("session send", text=ASK_BLOCKER_PROMPT, enter=True, json_min=True)),
            "request the blocker from the agent",
            0.84,
        ),
        RecoveryStep(
            str(target.build_line("session monitor", expect="any", max_polls=8, poll_interval=2, json_min=True)),
            "check for progress",
            0.8,
        ),
    ]


def _restart_steps(target: AdviceTarget) -> list[RecoveryStep]:
    return [
        RecoveryStep(str(target.build_line("session explain", events=40, json_min=True)), "read the history", 0.9),
        RecoveryStep(str(target.build_line("session kill", json=True)), "end the remaining processes", 0.78),
        RecoveryStep(str(target.build_spawn_line(RESUME_PROMPT)), "start it again with the same options", 0.74),
    ]
