"""Answer a dialog of an agent: find the choice for yes, no or a number, select it, check, press Enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from lisa_py.agents.base import Agent, Checklist
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionState
from lisa_py.contract.status import AgentReport
from lisa_py.core.context import Context
from lisa_py.core.send.open_dialog import DIALOG_POLL_SECONDS, has_dialog
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import choices as terminal_choices
from lisa_py.terminal.choices import ScreenChoice

if TYPE_CHECKING:
    from lisa_py.core.send.target import SendTarget

DIALOG_DRAW_SECONDS = 3.0
SELECTION_SECONDS = 3.0
CLOSE_SECONDS = 1.5
TICK_SECONDS = 10.0
MAX_TRIES = 3
CONTEXT_ROWS = 10


class DialogAnswer(Struct, frozen=True, kw_only=True):
    """The selected choice."""

    waiting_for: str
    number: int
    """0: the dialog was closed with Escape."""
    text: str
    ticked: tuple[int, ...] = ()
    """Of a question with several choices: the ticked ones."""
    open_question: str = ""
    """The question that the dialog shows now: the same one, or the next."""


def select_answer(ctx: Context, target: SendTarget, word: str) -> tuple[DialogAnswer, str]:
    """Select a choice; return it and the sign that the dialog is closed (empty: none).

    Raise LisaError: invalid_answer, no_dialog, answer_not_offered, agent_not_running, send_keys_failed.
    """
    word = word.strip().lower()
    numbers = _parse_numbers(word)
    if word not in ("yes", "no", "always") and not numbers:
        raise LisaError("invalid_answer", f"invalid --answer: {word} (expected yes|no|always|N or N,N for several)")
    target.refresh(screen=True)
    waiting_for = target.status.waiting_for
    if not has_dialog(target.status):
        raise LisaError(
            "no_dialog",
            f"{target.ref.session} has no open dialog (it is {target.status.agent_state}); no key was sent",
            session=target.ref.session,
            sessionState=target.status.session_state,
        )
    listed = wait_for_choices(ctx, target)
    checklist = target.agent.find_checklist(target.read_screen())
    if checklist is not None and (numbers and (len(numbers) > 1 or numbers[0] in checklist.tickable)):
        return _answer_checklist(ctx, target, checklist, numbers)
    if len(numbers) > 1:
        raise build_not_offered_error(target, word, listed)
    chosen = target.agent.pick_choice(word, listed)
    if chosen is None and not (word == "no" and listed):
        raise build_not_offered_error(target, word, listed)
    keys = ("Escape",) if chosen is None else ("Enter",)
    taken = DialogAnswer(waiting_for=waiting_for, number=0, text="Escape")
    if chosen is not None:
        taken = DialogAnswer(waiting_for=waiting_for, number=chosen.number, text=chosen.text)
    source = _press_until_closed(ctx, target, keys, chosen)
    if source and waiting_for == "question":
        _submit_review(ctx, target)
        taken = structs.replace(taken, open_question=_read_open_question(target))
    return taken, source


def _parse_numbers(word: str) -> tuple[int, ...]:
    """Return the numbers of `2` or `2,3`; empty for anything else."""
    parts = [part.strip() for part in word.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        return ()
    return tuple(dict.fromkeys(int(part) for part in parts))


def _answer_checklist(
    ctx: Context, target: SendTarget, checklist: Checklist, numbers: tuple[int, ...]
) -> tuple[DialogAnswer, str]:
    """Tick exactly these choices and submit them; return the answer and the sign that the question is closed."""
    missing = [number for number in numbers if number not in checklist.tickable]
    if missing:
        raise build_not_offered_error(target, str(missing[0]), checklist.choices)
    texts = [choice.text for choice in checklist.choices if choice.number in numbers]
    waiting_for, source = target.status.waiting_for, ""
    ticked = _tick_choices(ctx, target, frozenset(numbers))
    if ticked == frozenset(numbers) and _select_row(ctx, target, 0):
        before = target.read_screen()
        target.press(("Enter",))
        source = _wait_until_page_changes(ctx, target, before)
        _submit_review(ctx, target)
    answer = DialogAnswer(
        waiting_for=waiting_for,
        number=numbers[0],
        text=", ".join(texts),
        ticked=tuple(sorted(ticked)),
        open_question=_read_open_question(target),
    )
    return answer, source


def _tick_choices(ctx: Context, target: SendTarget, wanted: frozenset[int]) -> frozenset[int]:
    """Tick and untick until the screen shows exactly the wanted choices ticked; return those that it shows."""
    deadline = ctx.clock.monotonic() + TICK_SECONDS
    found = _read_checklist(target)
    while found is not None and ctx.clock.monotonic() < deadline:
        wrong = sorted(found.ticked.symmetric_difference(wanted) & found.tickable)
        if not wrong:
            break
        if _select_row(ctx, target, wrong[0]):
            before = found.ticked
            target.press(("Enter",))
            moved = ctx.clock.monotonic() + SELECTION_SECONDS / 3
            while (found := _read_checklist(target)) and found.ticked == before and ctx.clock.monotonic() < moved:
                ctx.pause(DIALOG_POLL_SECONDS)
        found = _read_checklist(target)
    return found.ticked if found is not None else frozenset()


def _select_row(ctx: Context, target: SendTarget, number: int) -> bool:
    """Move until the screen shows the row selected; False if it does not within the time limit."""
    deadline = ctx.clock.monotonic() + SELECTION_SECONDS
    while ctx.clock.monotonic() < deadline:
        found = _read_checklist(target)
        if found is None:
            return False
        if found.selected == number:
            return True
        if found.selected in found.rows:
            # one key at a time: claude 2.1.197 returns to the first row on two of them at the text row
            target.press(("Down" if found.rows.index(number) > found.rows.index(found.selected) else "Up",))
            moved = ctx.clock.monotonic() + SELECTION_SECONDS / 3
            while (now := _read_checklist(target)) and now.selected == found.selected and ctx.clock.monotonic() < moved:
                ctx.pause(DIALOG_POLL_SECONDS)
        else:
            ctx.pause(DIALOG_POLL_SECONDS)
    return False


def _read_checklist(target: SendTarget) -> Checklist | None:
    return target.agent.find_checklist(target.read_screen())


def _submit_review(ctx: Context, target: SendTarget) -> None:
    """Submit all answers if the dialog asks for that and none is missing."""
    for _ in range(MAX_TRIES):
        before = target.read_screen()
        if target.agent.find_review(before) != "complete":
            return
        listed = target.agent.find_choices(before)
        if listed:
            _select_choice(ctx, target, listed[0])
            target.press(("Enter",))
        _wait_until_page_changes(ctx, target, before)


def _wait_until_page_changes(ctx: Context, target: SendTarget, before: str) -> str:
    """Return the sign that the page has been left: another one, or no dialog at all."""
    page = (target.agent.find_choices(before), target.agent.find_review(before), _find_question(target, before))
    deadline = ctx.clock.monotonic() + CLOSE_SECONDS
    while ctx.clock.monotonic() < deadline:
        ctx.pause(DIALOG_POLL_SECONDS)
        target.refresh(screen=True)
        if target.has_ended() or not has_dialog(target.status):
            return target.status.state_source
        screen = target.read_screen()
        choices = target.agent.find_choices(screen)
        if choices and (choices, target.agent.find_review(screen), _find_question(target, screen)) != page:
            return "screen"
    return ""


def _read_open_question(target: SendTarget) -> str:
    """Return the question that the agent shows now; empty without an open dialog."""
    target.refresh(screen=True)
    return _find_question(target, target.read_screen()) if has_dialog(target.status) else ""


def _find_question(target: SendTarget, screen: str) -> str:
    report = target.agent.read_screen(screen)
    return report.detail if report is not None and report.state == "waiting" else ""


def wait_for_choices(ctx: Context, target: SendTarget) -> tuple[ScreenChoice, ...]:
    """Return the choices of the dialog; an agent may report that it waits a moment before it has drawn them."""
    deadline = ctx.clock.monotonic() + DIALOG_DRAW_SECONDS
    while not (listed := _read_choices(target)) and ctx.clock.monotonic() < deadline:
        ctx.pause(DIALOG_POLL_SECONDS)
    return listed


def type_answer(ctx: Context, target: SendTarget, text: str) -> str | None:
    """Type an answer into the choice that takes text; return the sign that its question is closed, None without one."""
    chosen = target.agent.find_text_choice(wait_for_choices(ctx, target))
    if chosen is None:
        return None
    for _ in range(MAX_TRIES):  # as a selection, early keys may be lost
        _select_choice(ctx, target, chosen)
        target.press((text,), literal=True)
        if _wait_for_text(ctx, target, text):
            break
    else:
        return ""
    before = target.read_screen()
    target.press(("Enter",))
    source = _wait_until_page_changes(ctx, target, before)
    _submit_review(ctx, target)
    return source


def _wait_for_text(ctx: Context, target: SendTarget, text: str) -> bool:
    """Return True once the screen shows a text, False if it does not within the time limit."""
    deadline = ctx.clock.monotonic() + SELECTION_SECONDS / 3
    while "".join(text.split()) not in "".join(target.read_screen().split()):
        if ctx.clock.monotonic() > deadline:
            return False
        ctx.pause(DIALOG_POLL_SECONDS)
    return True


def build_not_offered_error(target: SendTarget, word: str, listed: Sequence[ScreenChoice]) -> LisaError:
    """Return the error for an answer that the dialog does not offer."""
    offered = ", ".join(f"{choice.number}. {choice.text}" for choice in listed) or "no readable list"
    return LisaError(
        "answer_not_offered",
        f"the dialog has no `{word}`; it offers {offered} (lisa session send --keys presses any key)",
        session=target.ref.session,
        choices=[{"number": choice.number, "text": choice.text} for choice in listed],
    )


def _select_choice(ctx: Context, target: SendTarget, chosen: ScreenChoice) -> None:
    """Move until the screen shows the choice selected: Enter on another one would be the wrong answer."""
    deadline = ctx.clock.monotonic() + SELECTION_SECONDS
    while True:
        listed = _read_choices(target)
        current = next((choice.number for choice in listed if choice.selected), 0)
        unchanged = any(choice.number == chosen.number and choice.text == chosen.text for choice in listed)
        if current == chosen.number and unchanged:
            return
        if ctx.clock.monotonic() > deadline:
            raise LisaError(
                "answer_not_offered", "the dialog changed while it was being answered; read it and answer again"
            )
        if not unchanged or not current:
            ctx.pause(DIALOG_POLL_SECONDS)  # partly drawn: the selection is unknown
            continue
        direction = "Down" if chosen.number > current else "Up"
        target.press((direction,) * abs(chosen.number - current))
        _wait_for_move(ctx, target, current)


def _wait_for_move(ctx: Context, target: SendTarget, current: int) -> None:
    """Wait until the selection has moved."""
    deadline = ctx.clock.monotonic() + SELECTION_SECONDS / 3
    while ctx.clock.monotonic() < deadline:
        if any(choice.selected and choice.number != current for choice in _read_choices(target)):
            return
        ctx.pause(DIALOG_POLL_SECONDS)


def _read_choices(target: SendTarget) -> tuple[ScreenChoice, ...]:
    return target.agent.find_choices(target.tmux.capture([target.pane_id]).get(target.pane_id, ""))


def _press_until_closed(ctx: Context, target: SendTarget, keys: tuple[str, ...], chosen: ScreenChoice | None) -> str:
    """Press Enter until the dialog closes; once more if it ignored the key, as some do in their first moments.

    The choice is located again before each press: claude 2.1.329 may move its selection instead of accepting an
    early Enter.
    """
    ctx.pause(pause_before_keys(target.agent, target.evidence.reports, ctx.clock.now()))
    before = _read_dialog(target)
    for _ in range(MAX_TRIES):
        if chosen is not None:
            _select_choice(ctx, target, chosen)
        pressed = ctx.clock.now()
        mark_keys(ctx, target.ref)
        target.press(keys)
        how = _wait_until_closed(ctx, target, before, pressed)
        if how:
            return how
    return ""


def pause_before_keys(agent: Agent, reports: Sequence[AgentReport], now: float) -> float:
    """Return the seconds to wait before a key for a dialog that has just opened, where the agent ignores early keys."""
    opened = max((report.at for report in reports if report.state == "waiting"), default=0.0)
    return agent.dialog_pause_seconds if 0 <= now - opened < CLOSE_SECONDS else 0.0


def mark_keys(ctx: Context, ref: SessionRef) -> None:
    """Record that keys are pressed now: what the agent reported before may be answered by them."""
    now = ctx.clock.now()

    def change(state: SessionState) -> None:
        state.keys_at = now

    session_records.change_state(ref, ctx.settings, now, change)


def _wait_until_closed(ctx: Context, target: SendTarget, before: str, pressed: float) -> str:
    """Return the sign that the dialog is closed: by the agent's report, or because another is on the screen.

    A screen without it and a new record are signs, too, but the next read of the session has to agree with them: the
    title of codex may follow a moment later.
    """
    deadline = ctx.clock.monotonic() + CLOSE_SECONDS
    sign = ""
    while True:
        target.refresh(screen=True)
        if target.has_ended() or not has_dialog(target.status):
            return target.status.state_source
        shown = _read_dialog(target)
        if shown and shown != before:
            return "screen"
        frames = target.build_view().frames
        if frames and frames[-1].at >= pressed:
            sign = "transcript"
        elif not shown:
            sign = sign or ("screen" if before else "")
        if ctx.clock.monotonic() > deadline:
            return sign
        ctx.pause(DIALOG_POLL_SECONDS)


def _read_dialog(target: SendTarget) -> str:
    """Return the choices and the text above them: two dialogs with the same choices ask different questions."""
    screen = target.tmux.capture([target.pane_id]).get(target.pane_id, "")
    listed = target.agent.find_choices(screen)
    if not listed:
        return ""
    lines = [terminal_choices.strip_cursor(line) for line in screen.split("\n")]  # the selection does not matter
    row = max((at for at, line in enumerate(lines) if line.strip().endswith(listed[0].text)), default=len(lines))
    above = "\n".join(lines[:row])
    return "\n".join([*above.split("\n")[-CONTEXT_ROWS:], *(choice.text for choice in listed)])
