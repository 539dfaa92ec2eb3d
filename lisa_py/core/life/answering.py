"""Answering an agent's dialog: find what yes, no or a number means in it, go there, check, press Enter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from lisa_py.agents._dialogs import Choice
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context

if TYPE_CHECKING:
    from lisa_py.core.life.listener import Listener

DIALOGS = frozenset(
    ("permission", "question", "trust", "login", "bypass", "update", "hooks_trust", "api_key", "dialog")
)
"""What an agent waits for in a list of choices, which takes typed text for keys."""
DRAW_SECONDS = 3.0
MOVE_SECONDS = 3.0
CLOSE_SECONDS = 1.5
TRIES = 3
CONTEXT_ROWS = 10
TICK_SECONDS = 0.03
_CURSOR = re.compile(r"[❯›>](?= )")


class Answered(Struct, frozen=True, kw_only=True):
    """Which choice was taken."""

    waiting_for: str
    number: int
    """0: the dialog was left with Escape."""
    text: str


def asks(status: Status) -> bool:
    """Whether the agent shows a list of choices; at a limit some do and others only rest."""
    return status.waiting_for in DIALOGS or (status.waiting_for == "limit" and status.agent_state == "waiting")


def answer(ctx: Context, listener: Listener, word: str) -> tuple[Answered, str]:
    """Take a choice; returns it and how the dialog is seen to be over (empty: it is not).

    Raises LisaError: invalid_answer, no_dialog, answer_not_offered, agent_not_running, send_keys_failed.
    """
    word = word.strip().lower()
    if word not in ("yes", "no", "always") and not (word.isdigit() and int(word) > 0):
        raise LisaError("invalid_answer", f"invalid --answer: {word} (expected yes|no|always|N)")
    listener.look(screen=True)
    waiting_for = listener.status.waiting_for
    if not asks(listener.status):
        raise LisaError(
            "no_dialog",
            f"{listener.place.session} asks nothing (it is {listener.status.agent_state}); nothing was pressed",
            session=listener.place.session,
            sessionState=listener.status.session_state,
        )
    listed = choices(ctx, listener)
    meant = listener.agent.pick(word, listed)
    if meant is None and not (word == "no" and listed):
        raise _not_offered(listener, word, listed)
    keys = ("Escape",) if meant is None else ("Enter",)
    taken = Answered(waiting_for=waiting_for, number=0, text="Escape")
    if meant is not None:
        taken = Answered(waiting_for=waiting_for, number=meant.number, text=meant.text)
    return taken, _leave(ctx, listener, keys, meant)


def choices(ctx: Context, listener: Listener) -> tuple[Choice, ...]:
    """The dialog's choices; an agent may say that it waits a moment before it has drawn them."""
    deadline = ctx.clock.monotonic() + DRAW_SECONDS
    while not (listed := _listed(listener)) and ctx.clock.monotonic() < deadline:
        ctx.clock.sleep(TICK_SECONDS)
    return listed


def _not_offered(listener: Listener, word: str, listed: tuple[Choice, ...]) -> LisaError:
    offered = ", ".join(f"{choice.number}. {choice.text}" for choice in listed) or "no list that lisa can read"
    return LisaError(
        "answer_not_offered",
        f"the dialog has no `{word}`; it offers {offered} (lisa session send --keys presses any key)",
        session=listener.place.session,
        choices=[{"number": choice.number, "text": choice.text} for choice in listed],
    )


def _go_to(ctx: Context, listener: Listener, meant: Choice) -> None:
    """Move until the screen shows the choice selected: Enter on another one would be the wrong answer."""
    deadline = ctx.clock.monotonic() + MOVE_SECONDS
    while True:
        listed = _listed(listener)
        here = next((choice.number for choice in listed if choice.selected), 0)
        same = any(choice.number == meant.number and choice.text == meant.text for choice in listed)
        if here == meant.number and same:
            return
        if ctx.clock.monotonic() > deadline:
            raise LisaError(
                "answer_not_offered", "the dialog changed while it was being answered; look at it and answer again"
            )
        if not same or not here:
            ctx.clock.sleep(TICK_SECONDS)  # caught while it is being drawn: where the selection is, is not known
            continue
        way = "Down" if meant.number > here else "Up"
        listener.press((way,) * abs(meant.number - here))
        _settle(ctx, listener, here)


def _settle(ctx: Context, listener: Listener, here: int) -> None:
    """Until the selection has moved away from where it was."""
    deadline = ctx.clock.monotonic() + MOVE_SECONDS / 3
    while ctx.clock.monotonic() < deadline:
        if any(choice.selected and choice.number != here for choice in _listed(listener)):
            return
        ctx.clock.sleep(TICK_SECONDS)


def _listed(listener: Listener) -> tuple[Choice, ...]:
    return listener.agent.choices(listener.tmux.capture([listener.pane_id]).get(listener.pane_id, ""))


def _leave(ctx: Context, listener: Listener, keys: tuple[str, ...], meant: Choice | None) -> str:
    """Press and see the dialog go; once more when it ignored the key, as some do in their first moments.

    The choice is sought anew before each press: claude 2.1.329 may move its selection instead of taking an early Enter.
    """
    before = _dialog(listener)
    for _ in range(TRIES):
        if meant is not None:
            _go_to(ctx, listener, meant)
        pressed = ctx.clock.now()
        listener.press(keys)
        how = _closed(ctx, listener, before, pressed)
        if how:
            return how
    return ""


def _closed(ctx: Context, listener: Listener, before: str, pressed: float) -> str:
    """How the dialog is seen to be over: the agent says so, or another one or none is on the screen."""
    deadline = ctx.clock.monotonic() + CLOSE_SECONDS
    while True:
        listener.look(screen=True)
        if listener.ended() or not asks(listener.status):
            return listener.status.state_source
        if _dialog(listener) != before:
            return "screen"
        frames = listener.view().frames
        if frames and frames[-1].at >= pressed:
            return "transcript"
        if ctx.clock.monotonic() > deadline:
            return ""
        ctx.clock.sleep(TICK_SECONDS)


def _dialog(listener: Listener) -> str:
    """The choices and what stands above them: two dialogs of the same choices ask different things."""
    screen = listener.tmux.capture([listener.pane_id]).get(listener.pane_id, "")
    listed = listener.agent.choices(screen)
    if not listed:
        return ""
    lines = [_CURSOR.sub(" ", line) for line in screen.split("\n")]  # where the selection stands is not the question
    row = max((at for at, line in enumerate(lines) if line.strip().endswith(listed[0].text)), default=len(lines))
    above = "\n".join(lines[:row])
    return "\n".join([*above.split("\n")[-CONTEXT_ROWS:], *(choice.text for choice in listed)])
