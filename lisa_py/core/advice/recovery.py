"""Recovery plan of a session, as commands with a confidence; none is run."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.agents.base import quote
from lisa_py.core.advice import respawn
from lisa_py.core.advice.anomaly import AnomalyFinding
from lisa_py.core.advice.respawn import RespawnOptions

ASK_BLOCKER_PROMPT = "Summarize current blocker and propose one concrete unblocking step."
RESUME_PROMPT = "Resume from failure diagnostics and continue safely."
RESTART_PROMPT = "Resume task from latest plan and continue."
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


class AdviceTarget(Struct, frozen=True, kw_only=True):
    """The session of the plan."""

    session: str
    project_root: str
    respawn_options: RespawnOptions
    binary: str

    def command_line(self, action: str, tail: str) -> str:
        """Return a command line for the session."""
        where = f"--session {quote(self.session)} --project-root {quote(self.project_root)}"
        return f"{self.binary} session {action} {where} {tail}"

    def spawn_command_line(self, prompt: str) -> str:
        return respawn.format_spawn_command(self.respawn_options, self.project_root, self.binary, prompt)


def plan_recovery(findings: Sequence[AnomalyFinding], target: AdviceTarget) -> RecoveryPlan:
    """Return each command once; the confidence is the mean of the steps, but fixed for a missing session."""
    codes = {finding.code for finding in findings}
    steps = [RecoveryStep(target.command_line("status", "--json-min"), "read the current state", 0.99)]
    if "session_not_found" in codes:
        prompt = RESTART_PROMPT if target.respawn_options.mode == "exec" else ""
        steps.append(
            RecoveryStep(
                target.spawn_command_line(prompt),
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
            target.command_line("send", f"--text {quote(ASK_BLOCKER_PROMPT)} --enter --json-min"),
            "request the blocker from the agent",
            0.84,
        ),
        RecoveryStep(
            target.command_line("monitor", "--expect any --max-polls 8 --poll-interval 2 --json-min"),
            "check for progress",
            0.8,
        ),
    ]


def _restart_steps(target: AdviceTarget) -> list[RecoveryStep]:
    return [
        RecoveryStep(target.command_line("explain", "--events 40 --json-min"), "read the history", 0.9),
        RecoveryStep(target.command_line("kill", "--json"), "end the remaining processes", 0.78),
        RecoveryStep(target.spawn_command_line(RESUME_PROMPT), "start it again with the same options", 0.74),
    ]
