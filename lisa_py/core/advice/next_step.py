"""Suggest one next command for a session, by its state and the token budget for its answer."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.agents.base import quote
from lisa_py.contract.answer import Answer
from lisa_py.contract.status import Status
from lisa_py.core.advice import diagnose
from lisa_py.core.advice.recovery import RESTART_PROMPT, AdviceTarget
from lisa_py.core.context import Context
from lisa_py.store.paths import SessionRef

LOW_BUDGET, MEDIUM_BUDGET = 250, 600
"""Tokens: up to LOW a status only, up to MEDIUM a summary, above that a context pack."""
CONTINUE_PROMPT = "Continue from current context and produce concise next step output."


class NextStep(Struct, frozen=True):
    """One suggestion."""

    action: str
    command: str
    reason: str


def recommend_step(
    session_state: str, waiting_for: str, budget: int, target: AdviceTarget, error_kind: str | UnsetType = UNSET
) -> NextStep:
    """Return the suggestion for a state; `waiting_for` distinguishes an open dialog, `error_kind` the cause of an
    error."""
    if session_state == "waiting_input":
        return _recommend_for_input(waiting_for, error_kind, target)
    if session_state in ("in_progress", "just_started", "degraded"):
        return _recommend_while_running(budget, target)
    if session_state == "completed":
        return _recommend_after_completion(budget, target)
    if session_state in ("crashed", "stuck"):
        return NextStep(
            "session explain",
            target.command_line("explain", "--events 40 --json-min"),
            "terminal error state needs diagnostics before continuation",
        )
    if session_state == "not_found":
        return NextStep(
            "session spawn",
            target.spawn_command_line(RESTART_PROMPT),
            "tmux session is missing: start it again as it was",
        )
    return NextStep("session status", target.command_line("status", "--json-min"), "fallback to explicit status probe")


def _recommend_for_input(waiting_for: str, error_kind: str | UnsetType, target: AdviceTarget) -> NextStep:
    if error_kind == "auth":
        return NextStep(
            "session explain",
            target.command_line("explain", "--json-min"),
            "the model refuses the login of the agent: prompts would be refused until it is fixed",
        )
    if waiting_for in ("", "prompt", "error"):
        tail = f"--text {quote(CONTINUE_PROMPT)} --enter --json-min"
        return NextStep(
            "session send", target.command_line("send", tail), "interactive session is ready for next instruction"
        )
    if waiting_for == "limit":
        return NextStep(
            "session monitor",
            target.command_line("monitor", "--stop-on-waiting false --json-min"),
            "the agent is out of quota: prompts would be refused until the limit is lifted",
        )
    return NextStep(
        "session snapshot",
        target.command_line("snapshot", "--json-min"),
        f"the agent waits for an answer ({waiting_for}): read the question, then answer it with session send --answer",
    )


def _recommend_while_running(budget: int, target: AdviceTarget) -> NextStep:
    if budget <= LOW_BUDGET:
        return NextStep(
            "session snapshot",
            target.command_line("snapshot", "--json-min"),
            "low token budget favors one-shot lightweight status+capture",
        )
    if budget <= MEDIUM_BUDGET:
        return NextStep(
            "session packet",
            target.command_line("packet", f"--token-budget {budget} --json-min"),
            "medium budget favors summarized packet",
        )
    return NextStep(
        "session context-pack",
        target.command_line("context-pack", f"--strategy balanced --token-budget {budget} --json-min"),
        "higher budget can carry richer handoff context",
    )


def _recommend_after_completion(budget: int, target: AdviceTarget) -> NextStep:
    if budget <= LOW_BUDGET:
        tail = f"--raw --summary --summary-style terse --token-budget {budget} --json"
        return NextStep(
            "session capture",
            target.command_line("capture", tail),
            "completed session with low budget should return compact summary",
        )
    if budget <= MEDIUM_BUDGET:
        return NextStep(
            "session packet",
            target.command_line("packet", f"--token-budget {budget} --json-min"),
            "completed session can be transferred as compact packet",
        )
    return NextStep(
        "session context-pack",
        target.command_line("context-pack", f"--strategy full --token-budget {budget} --json-min"),
        "higher budget can preserve more completion context",
    )


def recommend_project_root(session: str, binary: str) -> NextStep:
    """Return the suggestion for a name used in several projects: choose one first."""
    return NextStep(
        "provide_project_root",
        f"{binary} session status --session {quote(session)} --project-root PATH --json",
        "several projects have a session of this name",
    )


class Advice(Answer):
    """The suggested next command."""

    session: str
    status: str
    session_state: str
    waiting_for: str
    next_action: str
    recommended_command: str
    reason: str
    budget: int


def advise(ctx: Context, ref: SessionRef, status: Status, budget: int) -> Advice:
    """Return the next command for a session status, limited to an answer of about the given tokens."""
    target = diagnose.build_advice_target(ctx, ref)
    step = recommend_step(status.session_state, status.waiting_for, budget, target, status.error_kind)
    return Advice(
        session=ref.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for,
        next_action=step.action,
        recommended_command=step.command,
        reason=step.reason,
        budget=budget,
    )
