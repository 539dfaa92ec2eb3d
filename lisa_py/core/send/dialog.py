"""Answering an agent's dialog: find what yes, no or a number means in it, go there, check, press Enter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.terminal.choices import ScreenChoice

if TYPE_CHECKING:
    from lisa_py.core.send.target import SendTarget

DIALOG_KINDS = frozenset(
    ("permission", "question", "trust", "login", "bypass", "update", "hooks_trust", "api_key", "dialog")
)
"""What an agent waits for in a list of choices, which takes typed text for keys."""
DIALOG_DRAW_SECONDS = 3.0
SELECTION_SECONDS = 3.0
CLOSE_SECONDS = 1.5
MAX_TRIES = 3
CONTEXT_ROWS = 10
DIALOG_POLL_SECONDS = 0.03
_CURSOR = re.compile(r"[❯›>](?= )")


class DialogAnswer(Struct, frozen=True, kw_only=True):
    """Which choice was taken."""

    waiting_for: str
    number: int
    """0: the dialog was left with Escape."""
    text: str


def has_dialog(status: Status) -> bool:
    """Whether the agent shows a list of choices; at a limit some do and others only rest."""
    return status.waiting_for in DIALOG_KINDS or (status.waiting_for == "limit" and status.agent_state == "waiting")


def answer_dialog(ctx: Context, target: SendTarget, word: str) -> tuple[DialogAnswer, str]:
    """Take a choice; returns it and how the dialog is seen to be over (empty: it is not).

    Raises LisaError: invalid_answer, no_dialog, answer_not_offered, agent_not_running, send_keys_failed.
    """
    word = word.strip().lower()
    if word not in ("yes", "no", "always") and not (word.isdigit() and int(word) > 0):
        raise LisaError("invalid_answer", f"invalid --answer: {word} (expected yes|no|always|N)")
    target.refresh(screen=True)
    waiting_for = target.status.waiting_for
    if not has_dialog(target.status):
        raise LisaError(
            "no_dialog",
            f"{target.ref.session} asks nothing (it is {target.status.agent_state}); nothing was pressed",
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
    """The dialog's choices; an agent may say that it waits a moment before it has drawn them."""
    deadline = ctx.clock.monotonic() + DIALOG_DRAW_SECONDS
    while not (listed := _read_choices(target)) and ctx.clock.monotonic() < deadline:
        ctx.clock.sleep(DIALOG_POLL_SECONDS)
    return listed


def _build_not_offered_error(target: SendTarget, word: str, listed: tuple[ScreenChoice, ...]) -> LisaError:
    offered = ", ".join(f"{choice.number}. {choice.text}" for choice in listed) or "no list that lisa can read"
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
                "answer_not_offered", "the dialog changed while it was being answered; look at it and answer again"
            )
        if not unchanged or not current:
            ctx.clock.sleep(DIALOG_POLL_SECONDS)  # caught while it is being drawn: where the selection is, is not known
            continue
        direction = "Down" if chosen.number > current else "Up"
        target.press((direction,) * abs(chosen.number - current))
        _wait_for_move(ctx, target, current)


def _wait_for_move(ctx: Context, target: SendTarget, current: int) -> None:
    """Until the selection has moved away from where it was."""
    deadline = ctx.clock.monotonic() + SELECTION_SECONDS / 3
    while ctx.clock.monotonic() < deadline:
        if any(choice.selected and choice.number != current for choice in _read_choices(target)):
            return
        ctx.clock.sleep(DIALOG_POLL_SECONDS)


def _read_choices(target: SendTarget) -> tuple[ScreenChoice, ...]:
    return target.agent.find_choices(target.tmux.capture([target.pane_id]).get(target.pane_id, ""))


def _press_until_closed(ctx: Context, target: SendTarget, keys: tuple[str, ...], chosen: ScreenChoice | None) -> str:
    """Press and see the dialog go; once more when it ignored the key, as some do in their first moments.

    The choice is sought anew before each press: claude 2.1.329 may move its selection instead of taking an early Enter.
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
    """How the dialog is seen to be over: the agent says so, or another one or none is on the screen."""
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
        ctx.clock.sleep(DIALOG_POLL_SECONDS)


def _read_dialog(target: SendTarget) -> str:
    """The choices and what stands above them: two dialogs of the same choices ask different things."""
    screen = target.tmux.capture([target.pane_id]).get(target.pane_id, "")
    listed = target.agent.find_choices(screen)
    if not listed:
        return ""
    lines = [_CURSOR.sub(" ", line) for line in screen.split("\n")]  # where the selection stands is not the question
    row = max((at for at, line in enumerate(lines) if line.strip().endswith(listed[0].text)), default=len(lines))
    above = "\n".join(lines[:row])
    return "\n".join([*above.split("\n")[-CONTEXT_ROWS:], *(choice.text for choice in listed)])
