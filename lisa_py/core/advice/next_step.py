"""Suggest the next command for a session, by its state, what it waits for, and the token budget of the reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command_line import CommandLine
from lisa_py.contract.status import Status
from lisa_py.core.advice.target import AdviceTarget

LOW_BUDGET, MEDIUM_BUDGET = 250, 600
"""Tokens: up to LOW a status only, up to MEDIUM a summary, above that a context pack."""
CONTINUE_PROMPT = "Continue from objective and latest state."
CONTINUE_WITHIN_BUDGET_PROMPT = "Continue from current context and produce concise next step output."
LOST = "its agent was ended from outside"
RESTART_PROMPT = "Resume task from latest plan and continue."

Need = Literal[
    "input", "answer", "person", "login", "quota", "time", "start_time", "reading", "diagnosis", "respawn", "unknown"
]
"""Kind of the next step."""

_NEED_BY_STATE: Mapping[str, Need] = {
    "waiting_input": "input",
    "in_progress": "time",
    "degraded": "time",
    "just_started": "start_time",
    "completed": "reading",
    "crashed": "diagnosis",
    "stuck": "diagnosis",
    "not_found": "respawn",
}
_NEED_BY_WAITING: Mapping[str, Need] = {
    "permission": "answer",
    "question": "answer",
    "dialog": "answer",
    "update": "answer",
    "trust": "person",
    "login": "person",
    "bypass": "person",
    "hooks_trust": "person",
    "api_key": "person",
    "limit": "quota",
}
_ACTION_BY_NEED: Mapping[Need, str] = {
    "input": "session send",
    "answer": "session dialogs",
    "person": "session snapshot",
    "login": "session explain",
    "quota": "session monitor",
    "time": "session monitor",
    "start_time": "session status",
    "reading": "session capture",
    "diagnosis": "session explain",
    "respawn": "session spawn",
    "unknown": "session status",
}
_REASON_BY_WAITING: Mapping[str, str] = {
    "trust": "whether the project folder is trusted: a person decides; spawn --trust answers it beforehand",
    "login": "for a login: a person must log in in the terminal of the session",
    "bypass": "whether it may skip permissions: a person decides",
    "hooks_trust": "whether hooks are trusted: a person decides",
    "api_key": "whether to use an API key: a person decides",
}

_ANSWER_BY_WAITING: Mapping[str, str] = {
    "permission": "session approve or deny decides it",
    "question": "session answer gives it",
}
_PRIORITY_BY_STATE: Mapping[str, tuple[int, str]] = {
    "crashed": (100, "critical"),
    "stuck": (96, "critical"),
    "degraded": (92, "high"),
    "waiting_input": (86, "needs_input"),
    "in_progress": (70, "active"),
    "completed": (20, "complete"),
    "not_found": (5, "missing"),
}
_PRIORITY_BY_NEED: Mapping[Need, tuple[int, str]] = {
    "person": (91, "needs_person"),
    "login": (91, "needs_person"),
    "answer": (90, "needs_answer"),
    "quota": (75, "limited"),
}
_FAILED_TURN_PRIORITY = (88, "turn_failed")
AMBIGUOUS_ROOT_PRIORITY = (98, "high")
"""For a name used in several projects."""


class Situation(Struct, frozen=True, kw_only=True):
    """The part of a status that decides the next step."""

    session_state: str
    waiting_for: str = ""
    error_kind: str | UnsetType = ""
    detail: str = ""
    is_server_lost: bool = False
    """True if the agent has ended with its tmux server."""

    @property
    def need(self) -> Need:
        need = _NEED_BY_STATE.get(self.session_state, "unknown")
        if need != "input":
            return need
        return "login" if self.error_kind == "auth" else _NEED_BY_WAITING.get(self.waiting_for, "input")

    @property
    def failed_turn(self) -> bool:
        """Return True if the agent is ready for a prompt after a turn that ended in an error."""
        return self.need == "input" and self.waiting_for == "error"

    @property
    def action(self) -> str:
        """Name of the next command, for readers without a token budget."""
        return _ACTION_BY_NEED[self.need]

    @property
    def priority(self) -> tuple[int, str]:
        """Urgency as (score, label); 100 is the most urgent. An agent that asks comes before an idle one."""
        if self.failed_turn:
            return _FAILED_TURN_PRIORITY
        return _PRIORITY_BY_NEED.get(self.need) or _PRIORITY_BY_STATE.get(self.session_state, (40, "unknown"))


def read_situation(status: Status, detail: str = "") -> Situation:
    """Return the situation; `detail` describes an open dialog better than the status does."""
    return Situation(
        session_state=status.session_state,
        waiting_for=status.waiting_for,
        error_kind=status.error_kind,
        detail=detail or " ".join(status.state_detail.split()),
        is_server_lost=status.classification_reason == "tmux_server_lost",
    )


class NextStep(Struct, frozen=True):
    """One suggestion."""

    action: str
    line: CommandLine
    reason: str

    @property
    def command(self) -> str:
        return str(self.line)


def recommend_step(situation: Situation, target: AdviceTarget, budget: int | None = None) -> NextStep:
    """Return the suggestion; `budget` is the size of the answer in tokens that the reader can take."""
    if target.resumable and (situation.need == "respawn" or situation.is_server_lost):
        line = target.build_line("session resume", json=True)
        return NextStep(line.name, line, f"{LOST}: it continues its own conversation")
    match situation.need:
        case "input":
            prompt = CONTINUE_PROMPT if budget is None else CONTINUE_WITHIN_BUDGET_PROMPT
            line = target.build_line("session send", text=prompt, enter=True, json_min=True)
            return NextStep(line.name, line, "interactive session is ready for next instruction")
        case "answer" | "person":
            return _recommend_reading_the_question(situation, target)
        case "login":
            line = target.build_line("session explain", json_min=True)
            reason = (
                "the model refuses the login of the agent: prompts would be refused until it is fixed; "
                f"a person logs in with {target.build_line('session terminal')}"
            )
            return NextStep(line.name, line, reason)
        case "quota":
            line = target.build_line("session monitor", stop_on_waiting="false", json_min=True)
            reason = "the agent is out of quota: prompts would be refused until the limit is lifted"
            return NextStep(line.name, line, f"{reason} ({situation.detail})" if situation.detail else reason)
        case "diagnosis":
            line = target.build_line("session explain", events=40, json_min=True)
            return NextStep(line.name, line, "terminal error state needs diagnostics before continuation")
        case "respawn":
            with_prompt = budget is not None or target.respawn_options.mode == "exec"
            line = target.build_spawn_line(RESTART_PROMPT if with_prompt else "")
            return NextStep(line.name, line, "tmux session is missing: start it again as it was")
        case "time" | "start_time":
            return _recommend_while_running(situation, target, budget)
        case "reading":
            return _recommend_after_completion(target, budget)
    return _recommend_status(target, "fallback to explicit status probe")


def _recommend_status(target: AdviceTarget, reason: str) -> NextStep:
    line = target.build_line("session status", json_min=True)
    return NextStep(line.name, line, reason)


def _recommend_reading_the_question(situation: Situation, target: AdviceTarget) -> NextStep:
    cause = _REASON_BY_WAITING.get(situation.waiting_for)
    if cause:
        line = target.build_line("session snapshot", json_min=True)
        return NextStep(line.name, line, f"the agent asks {cause}; {_describe_answer(situation, target)}")
    line = target.build_line("session dialogs", json_min=True)
    how = _ANSWER_BY_WAITING.get(situation.waiting_for, "session answer selects a choice")
    asked = f": {situation.detail}" if situation.detail else ""
    return NextStep(
        line.name, line, f"the agent waits for an answer ({situation.waiting_for}); {how}, by its id{asked}"
    )


def _describe_answer(situation: Situation, target: AdviceTarget) -> str:
    """Return the command with which a person answers."""
    terminal = target.build_line("session terminal")
    if situation.waiting_for == "login":
        return f"that is {terminal}"
    return f"to answer: {target.build_line('session send', answer='yes')}, or in its terminal: {terminal}"


def _recommend_while_running(situation: Situation, target: AdviceTarget, budget: int | None) -> NextStep:
    if budget is None and situation.need == "start_time":
        return _recommend_status(target, "the agent is starting")
    if budget is None:
        line = target.build_line("session monitor", json_min=True)
        return NextStep(line.name, line, "the agent works: wait for the end of its turn")
    if budget <= LOW_BUDGET:
        line = target.build_line("session snapshot", json_min=True)
        return NextStep(line.name, line, "low token budget favors one-shot lightweight status+capture")
    if budget <= MEDIUM_BUDGET:
        line = target.build_line("session packet", token_budget=budget, json_min=True)
        return NextStep(line.name, line, "medium budget favors summarized packet")
    line = _build_pack_line(target, "balanced", budget)
    return NextStep(line.name, line, "higher budget can carry richer handoff context")


def _recommend_after_completion(target: AdviceTarget, budget: int | None) -> NextStep:
    if budget is None:
        line = target.build_line("session capture", raw=True, summary=True, summary_style="ops", json=True)
        return NextStep(line.name, line, "the run has ended: read its output")
    if budget <= LOW_BUDGET:
        line = target.build_line(
            "session capture", raw=True, summary=True, summary_style="terse", token_budget=budget, json=True
        )
        return NextStep(line.name, line, "completed session with low budget should return compact summary")
    if budget <= MEDIUM_BUDGET:
        line = target.build_line("session packet", token_budget=budget, json_min=True)
        return NextStep(line.name, line, "completed session can be transferred as compact packet")
    line = _build_pack_line(target, "full", budget)
    return NextStep(line.name, line, "higher budget can preserve more completion context")


def _build_pack_line(target: AdviceTarget, strategy: str, budget: int) -> CommandLine:
    return target.build_line("session context-pack", strategy=strategy, token_budget=budget, json_min=True)


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


def advise(target: AdviceTarget, status: Status, budget: int) -> Advice:
    """Return the next command for a session status, limited to an answer of about the given tokens."""
    step = recommend_step(read_situation(status), target, budget)
    return Advice(
        session=target.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for,
        next_action=step.action,
        recommended_command=step.command,
        reason=step.reason,
        budget=budget,
    )
