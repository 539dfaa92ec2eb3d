"""Which one command to run next about a session, by its state and by how many tokens its answer may cost."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.agents.base import quote
from lisa_py.core.advice.remedy import AGAIN, Patient

LOW, MEDIUM = 250, 600
"""Tokens: up to LOW a bare look, up to MEDIUM a summary, above that a context pack."""
GO_ON = "Continue from current context and produce concise next step output."


class NextStep(Struct, frozen=True):
    """One recommendation."""

    action: str
    command: str
    reason: str


def of(
    session_state: str, waiting_for: str, budget: int, patient: Patient, error_kind: str | UnsetType = UNSET
) -> NextStep:
    """The step for a state; `waiting_for` tells an agent that asks from a ready one, `error_kind` why it failed."""
    if session_state == "waiting_input":
        return _input(waiting_for, error_kind, patient)
    if session_state in ("in_progress", "just_started", "degraded"):
        return _running(budget, patient)
    if session_state == "completed":
        return _done(budget, patient)
    if session_state in ("crashed", "stuck"):
        return NextStep(
            "session explain",
            patient.line("explain", "--events 40 --json-min"),
            "terminal error state needs diagnostics before continuation",
        )
    if session_state == "not_found":
        return NextStep(
            "session spawn",
            patient.spawn(AGAIN),
            "tmux session is missing: start it again as it was",
        )
    return NextStep("session status", patient.line("status", "--json-min"), "fallback to explicit status probe")


def _input(waiting_for: str, error_kind: str | UnsetType, patient: Patient) -> NextStep:
    if error_kind == "auth":
        return NextStep(
            "session explain",
            patient.line("explain", "--json-min"),
            "the model refuses the agent's login: words would be refused until that is mended",
        )
    if waiting_for in ("", "prompt", "error"):
        tail = f"--text {quote(GO_ON)} --enter --json-min"
        return NextStep("session send", patient.line("send", tail), "interactive session is ready for next instruction")
    if waiting_for == "limit":
        return NextStep(
            "session monitor",
            patient.line("monitor", "--stop-on-waiting false --json-min"),
            "the agent is out of quota: words would be refused until the limit is lifted",
        )
    return NextStep(
        "session snapshot",
        patient.line("snapshot", "--json-min"),
        f"the agent asks ({waiting_for}): read the question, then answer it with session send --answer",
    )


def _running(budget: int, patient: Patient) -> NextStep:
    if budget <= LOW:
        return NextStep(
            "session snapshot",
            patient.line("snapshot", "--json-min"),
            "low token budget favors one-shot lightweight status+capture",
        )
    if budget <= MEDIUM:
        return NextStep(
            "session packet",
            patient.line("packet", f"--token-budget {budget} --json-min"),
            "medium budget favors summarized packet",
        )
    return NextStep(
        "session context-pack",
        patient.line("context-pack", f"--strategy balanced --token-budget {budget} --json-min"),
        "higher budget can carry richer handoff context",
    )


def _done(budget: int, patient: Patient) -> NextStep:
    if budget <= LOW:
        tail = f"--raw --summary --summary-style terse --token-budget {budget} --json"
        return NextStep(
            "session capture",
            patient.line("capture", tail),
            "completed session with low budget should return compact summary",
        )
    if budget <= MEDIUM:
        return NextStep(
            "session packet",
            patient.line("packet", f"--token-budget {budget} --json-min"),
            "completed session can be transferred as compact packet",
        )
    return NextStep(
        "session context-pack",
        patient.line("context-pack", f"--strategy full --token-budget {budget} --json-min"),
        "higher budget can preserve more completion context",
    )


def ambiguous(session: str, binary: str) -> NextStep:
    """Sessions of this name live in several projects: nothing can be said before one is chosen."""
    return NextStep(
        "provide_project_root",
        f"{binary} session status --session {quote(session)} --project-root PATH --json",
        "sessions of this name live in more than one project",
    )
