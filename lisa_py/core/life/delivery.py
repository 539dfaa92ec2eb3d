"""One text on its way: into the agent's input box, out of it with Enter, and watched until the agent has it."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.agents.base import Input
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import AgentReport
from lisa_py.core.context import Context
from lisa_py.core.life import answering, typed_text
from lisa_py.core.life.listener import Listener

SOON_SECONDS = 0.8
"""How long to look for a sign that the text was taken; one that still stands in the box then needs another Enter."""
SEEN_SECONDS = 1.5
"""How long to look on where the text has left the box."""
LAST_SECONDS = 4.0
"""How long to look after that."""
COMMAND_SECONDS = 1.0
"""How long to look for a sign of a slash command, which need not leave one."""
EMPTY_SECONDS = 1.0
"""How long a taken text may stay in the input box before the next sender gets his turn."""
SHOWN_SECONDS = 2.0
"""How long a pasted text may take to stand in the box."""
SURE_SECONDS = 1.0
"""How long to look on before a text is held to be lost."""
SETTLE_SECONDS = 0.4
SECONDS_PER_MEGABYTE = 6.0


class Seen(Struct, frozen=True, kw_only=True):
    """What became of the text."""

    how: str = ""
    """The sign that it was taken; empty: none was seen."""
    helped: str = ""
    """What it took besides one Enter: second_enter, or retyped when the box had lost the text."""
    knowable: bool = True
    """Whether this agent would have given a sign."""


def enter(ctx: Context, listener: Listener, text: str) -> Seen:
    """Type, submit and watch. Raises LisaError: session_not_found, agent_not_running, send_text_failed."""
    since = ctx.clock.now()
    how = _how(listener, text)
    put(listener, text, how)
    _submit(ctx, listener, text, how)
    if listener.custom:
        return Seen(knowable=False)
    seen = _watched(ctx, listener, text, since)
    if seen.how and not listener.emptied(text, EMPTY_SECONDS):
        _empty(listener, text)
    return seen


def _empty(listener: Listener, text: str) -> None:
    """Take a text out of the box that the agent has taken and left there: the next one would be added to it."""
    listener.look(screen=True)
    left = AgentReport(source="grace", state="interrupted")
    keys = listener.agent.input("", listener.view(), (left,)).clear_first
    if keys and not listener.ended() and not answering.asks(listener.status):
        listener.press(keys)
        listener.emptied(text, EMPTY_SECONDS)


def put(listener: Listener, text: str, how: Input | None = None) -> None:
    """Into the input box and no further. Raises as enter."""
    how = how or _how(listener, text)
    if how.clear_first and not listener.evidence.state.draft:
        listener.press(how.clear_first)
    if how.typed:
        listener.press((how.lead + text.rstrip("\n"),), literal=True)
    else:
        _paste(listener, how.lead + text)


def _how(listener: Listener, text: str) -> Input:
    """What the agent file says; it is told of an interrupt that lisa made, of which an agent may leave no sign.

    So it is of a text that still stands in the box: both leave one there that the next would be added to.
    """
    interrupted = listener.evidence.state.interrupted_at
    reports = listener.evidence.reports
    if interrupted or _abandoned(listener):
        listener.look(screen=True)
        reports = (*reports, AgentReport(source="grace", state="interrupted", at=interrupted))
    return listener.agent.input(text, listener.view(), reports)


def _abandoned(listener: Listener) -> bool:
    """Whether the last text was pasted and never taken: its sender was killed before Enter, or Enter did nothing."""
    state = listener.evidence.state
    begun = state.last_input_text and not state.last_input_accepted_at and not state.draft
    return bool(begun) and listener.holds(state.last_input_text)


def _paste(listener: Listener, text: str) -> None:
    try:
        outcome = listener.tmux.paste(listener.pane_id, text.encode())
    except TmuxUnavailable as problem:
        raise LisaError("send_text_failed", f"the text was not typed: {problem.message}") from problem
    if outcome != "ok":
        raise listener.gone(outcome)


def _submit(ctx: Context, listener: Listener, text: str, how: Input) -> None:
    if how.see_first:
        listener.shows(text, SHOWN_SECONDS)
    if how.settle_seconds:
        ctx.clock.sleep(how.settle_seconds)
    listener.press((*how.before_enter, how.submit))


def _watched(ctx: Context, listener: Listener, text: str, since: float) -> Seen:
    """Look for a sign; without one help once: Enter again, or the whole text where the box has lost it."""
    more = SECONDS_PER_MEGABYTE * len(text) / 1e6
    if typed_text.is_command(text):
        how = listener.hear(text, since, COMMAND_SECONDS) or _done(listener)
        return Seen(how=how, knowable=bool(how))
    how = listener.hear(text, since, SOON_SECONDS + more)
    if not how and not listener.holds(text):
        how = listener.hear(text, since, SEEN_SECONDS)  # it has left the box: the sign is on its way
    if how or not listener.tells:
        return Seen(how=how, knowable=listener.tells)
    listener.look()
    if answering.asks(listener.status):
        # Enter would answer the dialog, and a dialog that was not there before means that the turn has begun
        return Seen(how=listener.status.state_source)
    if listener.ended():
        return Seen()
    if _lost(listener, text):
        how = listener.hear(text, since, SURE_SECONDS)
        listener.look()
        if not how and _lost(listener, text):
            put(listener, text)
            _submit(ctx, listener, text, Input(see_first=True, settle_seconds=SETTLE_SECONDS))
            return Seen(how=listener.hear(text, since, LAST_SECONDS + more), helped="retyped")
        return Seen(how=how)
    listener.press(("Enter",))
    return Seen(how=listener.hear(text, since, LAST_SECONDS + more), helped="second_enter")


def _done(listener: Listener) -> str:
    """How a command is seen to have been taken that leaves no record: its menu is open, or the agent has left."""
    listener.look(screen=True)
    return listener.status.state_source if answering.asks(listener.status) or listener.ended() else ""


def _lost(listener: Listener, text: str) -> bool:
    """An agent that is only coming up may drop what is pasted: it is nowhere, and nothing has begun."""
    return listener.rests() and not listener.holds(text)
