"""Decide a dialog, once: record the decision, give it to the waiting hook or press it on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct, structs

from lisa_py.agents.base import HookAnswer
from lisa_py.contract.dialogs import (
    PANE,
    DecisionKind,
    DecisionRecord,
    DecisionResult,
    DialogDecision,
    DialogQuestion,
    DialogWay,
    Scope,
)
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send import answers, decision_log, dialog, dialog_list, open_dialog
from lisa_py.core.send.dialog import DialogAnswer
from lisa_py.core.send.dialog_list import FoundDialog
from lisa_py.core.send.target import SendTarget
from lisa_py.core.status import agent_reports
from lisa_py.host import processes
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import dialogs
from lisa_py.terminal import frame_lines

HOOK_SECONDS = 3.0
"""Time for an agent to take the decision of its hook (measured: 0.2 to 0.4 s)."""
POLL_SECONDS = 0.02
_KIND_BY_WORD: Mapping[str, DecisionKind] = {"yes": "approve", "always": "approve", "no": "deny"}
WORDS: Mapping[DecisionKind, str] = {"approve": "approved", "deny": "denied", "answer": "answered"}


class PreparedDecision(Struct, frozen=True, kw_only=True):
    """A decision checked against its dialog."""

    decision: DialogDecision
    answers: dict[str, str] = {}
    """Resolved answers by text of the question."""
    patterns: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Return the decision in words."""
        given = self.decision
        if given.kind == "answer":
            chosen = "; ".join(self.answers.values()) or ", ".join(given.choices)
            return f"answered: {chosen}"
        scope = " (session)" if given.kind == "approve" and given.scope == "session" else ""
        return f"{WORDS[given.kind]}{scope}" + (f": {given.message}" if given.message else "")


def build_record(
    ctx: Context, kind: DecisionKind, by: str, way: DialogWay, summary: str, scope: Scope = "once"
) -> DecisionRecord:
    """Return the record of a decision by this process."""
    pid = processes.own_pid()
    process = processes.read_process(pid, argv=False)
    return DecisionRecord(
        kind=kind,
        by=by,
        way=way,
        at=format_rfc3339(ctx.clock.now(), fraction=True),
        scope=scope,
        summary=" ".join(summary.split())[:500],
        pid=pid,
        process_started=process.started if process is not None else 0.0,
    )


# -- which dialog -------------------------------------------------------------------------------------------------


def select_dialog(found: Sequence[FoundDialog], target: SendTarget, dialog_id: str) -> FoundDialog:
    """Return the dialog of an id, or the only one. Raise no_dialog, several_dialogs, dialog_already_answered."""
    if dialog_id:
        wanted = next((each for each in found if dialog_id in (each.dialog.id, each.key)), None)
        if wanted is None:
            raise build_closed_error(target, dialog_id)
        return wanted
    if not found:
        raise LisaError(
            "no_dialog",
            f"{target.ref.session} has no open dialog (it is {target.status.agent_state}); nothing was answered",
            session=target.ref.session,
            sessionState=target.status.session_state,
        )
    if len(found) > 1:
        listed = "; ".join(f"{each.dialog.id} ({each.dialog.message})" for each in found)
        raise LisaError(
            "several_dialogs",
            f"{target.ref.session} has {len(found)} open dialogs: {listed}; choose one with --id",
            session=target.ref.session,
            ids=[each.dialog.id for each in found],
        )
    return found[0]


def build_closed_error(target: SendTarget, dialog_id: str, key: str = "") -> LisaError:
    """Return the error for a dialog that is not open: who decided it, if it was one."""
    key = key or _find_key(target, dialog_id)
    decided = dialogs.read_decision(target.ref, key) if key else None
    if decided is not None:
        return LisaError(
            "dialog_already_answered",
            f"the dialog {dialog_id or key} was decided by {decided.by} at {decided.at}: {decided.summary}",
            session=target.ref.session,
            id=dialog_id or key,
            decidedBy=decided.by,
            decision=decided.kind,
            decidedAt=decided.at,
        )
    if key:
        return LisaError(
            "dialog_already_answered",
            f"the dialog {dialog_id} is closed: it was answered in the pane, or its turn has ended",
            session=target.ref.session,
            id=dialog_id,
            decidedBy=PANE,
        )
    return LisaError(
        "no_dialog",
        f"{target.ref.session} has no dialog {dialog_id} (lisa session dialogs lists the open ones)",
        session=target.ref.session,
        id=dialog_id,
    )


def _find_key(target: SendTarget, dialog_id: str) -> str:
    """Return the key of a dialog that was open once; empty if no hook and no decision names it."""
    names = [each.key for each in dialogs.list_dialogs(target.ref)] + list(dialogs.list_decided_keys(target.ref))
    if dialog_id in names:
        return dialog_id
    asked = target.agent.list_permission_calls(agent_reports.read_hooks(target.ref, whole=True), ended=True)
    calls = {call.tool_use_id: call.key for call in asked}
    end = f"-{dialog_list.digest(dialog_id)}"
    return calls.get(dialog_id, "") or next((key for key in names if key.endswith(end)), "")


# -- what to decide -----------------------------------------------------------------------------------------------


def prepare(target: SendTarget, found: FoundDialog, decision: DialogDecision) -> PreparedDecision:
    """Check a decision against its dialog. Raise answer_required, answer_missing, answer_not_offered."""
    opened = found.dialog
    questions = opened.questions or ()
    if decision.kind == "answer":
        if not questions:  # the answer of the one question on the screen, whatever it is called there
            words = decision.choices or tuple(decision.answers.values())
            return PreparedDecision(decision=structs.replace(decision, choices=words))
        return _prepare_answers(target, found, decision)
    if opened.kind == "question" and decision.kind == "approve":
        raise LisaError(
            "answer_required",
            f"{opened.session} asks a question, which needs an answer: lisa session answer --choice N|LABEL|TEXT",
            session=opened.session,
            id=opened.id,
        )
    patterns, notices = _choose_patterns(found, decision)
    return PreparedDecision(decision=decision, patterns=patterns, notices=notices)


def _prepare_answers(target: SendTarget, found: FoundDialog, decision: DialogDecision) -> PreparedDecision:
    """Resolve the answers to the questions that are still open; words for all of them may be given, too."""
    questions = found.dialog.questions or ()
    left = _list_open_questions(target, found) if found.dialog.way == "screen" else questions
    given = decision
    if len(decision.choices) == len(questions):
        given = structs.replace(decision, choices=decision.choices[-len(left) :])
    notices = (f"answered before: {'; '.join(each.question for each in questions[: -len(left)])}",)
    return PreparedDecision(
        decision=given,
        answers=answers.resolve_answers(left, given),
        notices=notices if len(left) < len(questions) else (),
    )


def _list_open_questions(target: SendTarget, found: FoundDialog) -> Sequence[DialogQuestion]:
    questions = found.dialog.questions or ()
    if len(questions) < 2:
        return questions
    return answers.select_open(questions, target.agent.read_question(target.read_screen()))


def adapt_to_screen(prepared: PreparedDecision) -> PreparedDecision:
    """Return the decision as keys can give it, with notices about what they cannot."""
    given, notices = prepared.decision, list(prepared.notices)
    typed = {question: " ".join(frame_lines.clean(answer).split()) for question, answer in prepared.answers.items()}
    broken = [answer for answer in prepared.answers.values() if len(answer.splitlines()) > 1]
    if broken:
        notices.append("line breaks of the answer were replaced by spaces: the dialog on the screen takes one line")
    if given.kind == "approve" and given.scope == "session" and given.pattern:
        notices = [f"the pattern {given.pattern} is not applied: the dialog on the screen has a rule of its own"]
    return structs.replace(prepared, answers=typed, patterns=(), notices=tuple(notices))


def _choose_patterns(found: FoundDialog, decision: DialogDecision) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the patterns to allow for the rest of the session, and notices about what is not applied."""
    if decision.kind != "approve" or decision.scope != "session" or found.dialog.way == "screen":
        return (), ()
    from lisa_py.core.guard import tool_rules  # noqa: PLC0415 - only approvals for a session

    opened = found.dialog
    name = opened.tool_name or ""
    given = opened.tool_input if isinstance(opened.tool_input, Mapping) else {}
    notices = []
    if decision.pattern:
        if tool_rules.is_pattern(decision.pattern) and tool_rules.covers(decision.pattern, name, given):
            return (decision.pattern,), ()
        notices.append(f"the pattern {decision.pattern} does not cover this call and is ignored")
    derived = tool_rules.derive_patterns(name, given)
    if not derived:
        notices.append("this call can only be approved once: no pattern describes it")
    return tuple(derived), tuple(notices)


def _build_unsupported_error(found: FoundDialog, why: str) -> LisaError:
    return LisaError(
        "not_supported",
        f"the dialog of {found.dialog.session} {why}; answer it on the screen (lisa session send --answer N)",
        session=found.dialog.session,
        id=found.dialog.id,
    )


# -- by the hook --------------------------------------------------------------------------------------------------


def decide_by_hook(
    ctx: Context, target: SendTarget, found: FoundDialog, prepared: PreparedDecision
) -> DecisionResult | None:
    """Give the decision to the waiting hook; None if it does not wait any more. Raise dialog_already_answered."""
    given = prepared.decision
    output = target.agent.format_hook_answer(
        HookAnswer(
            denied=given.kind == "deny",
            message=given.message,
            answers=prepared.answers,
            patterns=prepared.patterns,
            updated_input=given.updated_input,
        ),
        found.dialog.tool_input,
    )
    if not output or (given.kind == "answer" and not prepared.answers):
        return None
    record = build_record(ctx, given.kind, given.by, "hook", prepared.summary, given.scope)
    _record(ctx, target, found, record, output)
    if not dialogs.release_decided(target.ref, found.key):
        dialogs.withdraw(target.ref, found.key)
        return None
    warning = decision_log.record_decision(ctx, target, found, record)
    source = _wait_until_taken(ctx, target, found)
    return build_result(found, _add_notice(prepared, warning), "hook", source)


def _record(ctx: Context, target: SendTarget, found: FoundDialog, record: DecisionRecord, output: str = "") -> None:
    """Record the decision; replace one that was to be pressed by a process that is gone."""
    earlier = dialogs.read_decision(target.ref, found.key)
    if earlier is not None and earlier.way == "screen":
        dialogs.withdraw(target.ref, found.key)  # the dialog is open and no other process has the lock of the input
    if not dialogs.decide(target.ref, found.key, record, output):
        raise build_closed_error(target, found.dialog.id, found.key)


def _wait_until_taken(ctx: Context, target: SendTarget, found: FoundDialog) -> str:
    """Return the sign that the agent has left the dialog; empty if it has not in time."""
    deadline = ctx.clock.monotonic() + HOOK_SECONDS
    while ctx.clock.monotonic() < deadline:
        target.refresh()
        if target.has_ended() or not open_dialog.has_dialog(target.status):
            return target.status.state_source
        if not dialogs.is_waiting(target.ref, found.key):
            still = dialog_list.find_dialogs(ctx, target.ref, target.evidence, target.status, choices=False)
            if still and all(each.key != found.key for each in still):
                return "hook"
        ctx.pause(POLL_SECONDS)
    return ""


# -- on the screen ------------------------------------------------------------------------------------------------


def decide_on_screen(
    ctx: Context, target: SendTarget, found: FoundDialog, prepared: PreparedDecision
) -> DecisionResult:
    """Press the decision in the dialog. Raise answer_not_offered, not_supported, dialog_already_answered."""
    given = prepared.decision
    if given.updated_input is not None:  # also where its hook has just ended
        raise _build_unsupported_error(found, "cannot run another input than the one that it asks about")
    prepared = adapt_to_screen(prepared)
    record = build_record(ctx, given.kind, given.by, "screen", prepared.summary, given.scope)
    with _PressAttempt(ctx, target, found, record) as attempt:
        source = _press(ctx, target, found, prepared)
        attempt.source = source
    return build_result(found, _add_notice(prepared, attempt.warning), "screen", source)


def _add_notice(prepared: PreparedDecision, notice: str) -> PreparedDecision:
    return structs.replace(prepared, notices=(*prepared.notices, notice)) if notice else prepared


def _press(ctx: Context, target: SendTarget, found: FoundDialog, prepared: PreparedDecision) -> str:
    """Press the keys of a decision; return the sign that the dialog is closed."""
    given = prepared.decision
    if given.kind != "answer":
        word = "no" if given.kind == "deny" else "yes"
        if given.kind == "approve" and given.scope == "session":
            lasting = target.agent.find_session_choice(dialog.wait_for_choices(ctx, target))
            if lasting is None:
                raise _build_unsupported_error(found, "offers no choice for the rest of the session")
            word = str(lasting.number)
        return dialog.select_answer(ctx, target, word)[1]
    if not prepared.answers:
        return dialog.select_answer(ctx, target, _find_number(ctx, target, found, given.choices))[1]
    source = ""
    for question in _list_open_questions(target, found):
        source = _press_answer(ctx, target, found, question, prepared.answers[question.question])
        if not source:
            break
    return source


def _find_number(ctx: Context, target: SendTarget, found: FoundDialog, words: Sequence[str]) -> str:
    """Return the number of the choice that a number or label names. Raise answer_missing, answer_not_offered."""
    listed = dialog.wait_for_choices(ctx, target)
    numbers = []
    for word in words:
        same = (each for each in listed if word.strip() == str(each.number) or _is_same(word, each.text))
        choice = next(same, None)
        if choice is None:
            raise dialog.build_not_offered_error(target, word, listed)
        numbers.append(str(choice.number))
    if not numbers:
        raise LisaError("answer_missing", "no answer is given; use --choice", session=found.dialog.session)
    return ",".join(numbers)


def _is_same(word: str, text: str) -> bool:
    return " ".join(word.split()).casefold() == " ".join(text.split()).casefold()


def _press_answer(ctx: Context, target: SendTarget, found: FoundDialog, question: DialogQuestion, answer: str) -> str:
    numbers = answers.list_numbers(question, answer)
    if numbers:
        return dialog.select_answer(ctx, target, ",".join(map(str, numbers)))[1]
    source = dialog.type_answer(ctx, target, answer)
    if source is None:
        raise _build_unsupported_error(found, f"takes no typed answer: {answer}")
    return source


class _PressAttempt:
    """The decision while it is pressed: recorded before, withdrawn if it did not reach the agent."""

    def __init__(self, ctx: Context, target: SendTarget, found: FoundDialog, record: DecisionRecord) -> None:
        self._ctx = ctx
        self._target = target
        self._found = found
        self._decided = record
        self._key = found.key
        self.source = ""
        """Sign that the dialog is closed."""
        self.warning = ""
        """Why the decision is not in the log."""
        _record(ctx, target, found, record)

    def __enter__(self) -> _PressAttempt:
        return self

    def __exit__(self, *problem: object) -> None:
        if problem[0] is None and self.source:
            dialogs.release_closed(self._target.ref, self._key)
            self.warning = decision_log.record_decision(self._ctx, self._target, self._found, self._decided)
        elif problem[0] is None or isinstance(problem[1], LisaError):
            dialogs.withdraw(self._target.ref, self._key)


def press_word(ctx: Context, target: SendTarget, word: str, by: str) -> tuple[DialogAnswer, str]:
    """Select the choice of yes, no, always or numbers on the screen, as a decision about the dialog shown there.

    Raise LisaError: invalid_answer, no_dialog, answer_not_offered, dialog_already_answered.
    """
    target.refresh(screen=True)
    found = dialog_list.find_dialogs(ctx, target.ref, target.evidence, target.status, choices=False)
    shown = _find_shown(target, found)
    if shown is None:
        return dialog.select_answer(ctx, target, word)
    name = word.strip().lower()
    scope: Scope = "session" if name == "always" else "once"
    record = build_record(ctx, _KIND_BY_WORD.get(name, "answer"), by, "screen", f"chose {word}", scope)
    with _PressAttempt(ctx, target, shown, record) as attempt:
        answer, source = dialog.select_answer(ctx, target, word)
        attempt.source = "" if answer.open_question == _question_of(shown) != "" else source
    return answer, source


def _find_shown(target: SendTarget, found: Sequence[FoundDialog]) -> FoundDialog | None:
    """Return the dialog on the screen: of several the one whose input is there, else the oldest."""
    screen = "".join(target.evidence.screen.split())
    shown = (each for each in found if len(found) > 1 and _is_shown(each, screen))
    return next(shown, found[0] if found else None)


def _is_shown(found: FoundDialog, screen: str) -> bool:
    given = found.dialog.tool_input
    values = [value for value in given.values() if isinstance(value, str)] if isinstance(given, Mapping) else []
    return bool(values) and all("".join(value.split())[:200] in screen for value in values)


def _question_of(found: FoundDialog) -> str:
    questions = found.dialog.questions or ()
    return questions[0].question if questions else ""


# -- result -------------------------------------------------------------------------------------------------------


def build_result(found: FoundDialog, prepared: PreparedDecision, way: DialogWay, source: str) -> DecisionResult:
    """Return the result; `source` is the sign that the agent has left the dialog."""
    opened, given = found.dialog, prepared.decision
    by_key = {
        each.key: prepared.answers[each.question]
        for each in opened.questions or ()
        if each.question in prepared.answers
    }
    made = DecisionResult(
        session=opened.session,
        project_root=opened.project_root,
        ok=bool(source),
        id=opened.id,
        kind=opened.kind,
        decision=given.kind,
        scope=given.scope if given.kind == "approve" else UNSET,
        way=way,
        delivered=bool(source),
        delivered_by=source or UNSET,
        answers=by_key or UNSET,
        notices=prepared.notices or UNSET,
    )
    if source:
        return made
    return structs.replace(
        made,
        error_code="answer_not_taken",
        error=f"{opened.session} still shows the dialog; read it with lisa session snapshot",
    )
