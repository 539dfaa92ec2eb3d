"""Answer a dialog of an agent: find the choice for yes, no or a number, select it, check, press Enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.terminal import choices as terminal_choices
from lisa_py.terminal.choices import ScreenChoice

if TYPE_CHECKING:
    from lisa_py.core.send.target import SendTarget

DIALOG_KINDS = frozenset(
    ("permission", "question", "trust", "login", "bypass", "update", "hooks_trust", "api_key", "dialog")
)
"""Kinds of dialogs with a list of choices, where typed text acts as keys."""
DIALOG_DRAW_SECONDS = 3.0
SELECTION_SECONDS = 3.0
CLOSE_SECONDS = 1.5
MAX_TRIES = 3
CONTEXT_ROWS = 10
DIALOG_POLL_SECONDS = 0.03


class DialogAnswer(Struct, frozen=True, kw_only=True):
    """The selected choice."""

    waiting_for: str
    number: int
    """0: the dialog was closed with Escape."""
    text: str


def has_dialog(status: Status) -> bool:
    """Return True if the agent shows a list of choices; at a limit some agents do and others are idle."""
    return status.waiting_for in DIALOG_KINDS or (status.waiting_for == "limit" and status.agent_state == "waiting")


def answer_dialog(ctx: Context, target: SendTarget, word: str) -> tuple[DialogAnswer, str]:
    """Select a choice; return it and the sign that the dialog is closed (empty: none).

    Raise LisaError: invalid_answer, no_dialog, answer_not_offered, agent_not_running, send_keys_failed.
    """
    word = word.strip().lower()
    if word not in ("yes", "no", "always") and not (word.isdigit() and int(word) > 0):
        raise LisaError("invalid_answer", f"invalid --answer: {word} (expected yes|no|always|N)")
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
    chosen = target.agent.pick_choice(word, listed)
    if chosen is None and not (word == "no" and listed):
        raise _build_not_offered_error(target, word, listed)
    keys = ("Escape",) if chosen is None else ("Enter",)
    taken = DialogAnswer(waiting_for=waiting_for, number=0, text="Escape")
    if chosen is not None:
        taken = DialogAnswer(waiting_for=waiting_for, number=chosen.number, text=chosen.text)
    return taken, _press_until_closed(ctx, target, keys, chosen)


def wait_for_choices(ctx: Context, target: SendTarget) -> tuple[ScreenChoice, ...]:
    """Return the choices of the dialog; an agent may report that it waits a moment before it has drawn them."""
    deadline = ctx.clock.monotonic() + DIALOG_DRAW_SECONDS
    while not (listed := _read_choices(target)) and ctx.clock.monotonic() < deadline:
        ctx.pause(DIALOG_POLL_SECONDS)
    return listed


def _build_not_offered_error(target: SendTarget, word: str, listed: tuple[ScreenChoice, ...]) -> LisaError:
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
    before = _read_dialog(target)
    for _ in range(MAX_TRIES):
        if chosen is not None:
            _select_choice(ctx, target, chosen)
        pressed = ctx.clock.now()
        target.press(keys)
        how = _wait_until_closed(ctx, target, before, pressed)
        if how:
            return how
    return ""


def _wait_until_closed(ctx: Context, target: SendTarget, before: str, pressed: float) -> str:
    """Return the sign that the dialog is closed: by the agent's report, or because another or none is on the screen."""
    deadline = ctx.clock.monotonic() + CLOSE_SECONDS
    while True:
        target.refresh(screen=True)
        if target.has_ended() or not has_dialog(target.status):
            return target.status.state_source
        if _read_dialog(target) != before:
            return "screen"
        frames = target.build_view().frames
        if frames and frames[-1].at >= pressed:
            return "transcript"
        if ctx.clock.monotonic() > deadline:
            return ""
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
