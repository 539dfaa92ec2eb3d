"""Look at the input box of the agent before anything is typed, and empty it if that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lisa_py.agents.base import Composer
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send.target import SendTarget, squeeze_text
from lisa_py.core.status.input_block import find_foreground_program
from lisa_py.host import processes, user_terminal

APPEAR_SECONDS = 2.0
"""Wait for the box: a screen that is being redrawn may lack it for a moment."""
INTERRUPT_SECONDS = 2.0
"""After an interrupt the agent may return its prompt to the box: claude 2.1.332 does within 0.3 s."""
STABLE_SECONDS = 0.25
"""Time without a change after which the box counts as settled."""
CLEAR_SECONDS = 0.8
CLEAR_TRIES = 3
"""Tries without effect; a tall draft takes more than one."""
BURST_KEYS = 40
"""Keys in one go: claude (2.1.332) takes 120 control characters at once for a pasted text."""
POLL_SECONDS = 0.03
NO_READER = "-"
"""The terminal is in line mode: the agent is suspended, or has not begun or has ceased to read keys."""
SHOWN_LINES = 8
"""Last lines of the screen in the error."""
_ERROR_CHARACTERS = 200
_PART_CHARACTERS = 200
"""Characters from which a draft that is a part of an earlier prompt counts as that prompt, cut by the box."""


def prepare_input_box(ctx: Context, target: SendTarget, *, replace_draft: bool = False) -> str:
    """Require a visible, empty input box; return the draft that was removed from it by request.

    Text that the agent has already taken once is removed unasked, and returned unless lisa's interrupt put it back. A
    draft that lisa typed without submitting it, and that is as it was, stays: the text continues it. Raise LisaError:
    input_not_visible, input_not_empty, session_not_found, agent_not_running.
    """
    reader = _wait_for_terminal(ctx, target)
    box = target.read_composer() if reader else _settle(ctx, target)
    if box is None:
        return ""
    if reader or box.kind in ("none", "mode"):
        raise _build_not_visible_error(target, box, reader)
    if box.kind == "empty":
        return ""
    is_typed = _is_own_draft(target, box)
    if is_typed and not replace_draft:
        return ""
    is_own = _was_sent_before(target, box.text)
    if not is_own and not replace_draft:
        raise _build_not_empty_error(
            target, box.text, "--replace-draft saves it in the answer and removes it; nothing was typed"
        )
    hidden = "its beginning is outside of the pane" if box.cut else ""
    if any(word in box.text for word in target.agent.folded_drafts):
        hidden = "a part of it is folded"
    if hidden and not is_own and not is_typed:
        raise _build_not_empty_error(
            target,
            box.text,
            f"{hidden} and cannot be saved; attach to the session, or type to it anyway with --force",
        )
    clear_input_box(ctx, target, box)
    return "" if is_own and _returned_by_interrupt(target) else box.text


def clear_input_box(ctx: Context, target: SendTarget, box: Composer) -> None:
    """Empty the box and look again. Raise LisaError(input_not_empty) with the draft if a text remains."""
    whole, tries = box.text, 0
    while tries < CLEAR_TRIES:
        before = box.text
        keys = (*box.insert_keys, *target.agent.clear_keys(before))
        for at in range(0, len(keys), BURST_KEYS):
            target.press(keys[at : at + BURST_KEYS])
            ctx.clock.sleep(POLL_SECONDS)
        for found in _poll(ctx, target, CLEAR_SECONDS):
            if found is None or found.kind == "empty":
                return
            if found.kind != "holds":
                raise _build_not_visible_error(target, found)
            box = found
        tries = tries + 1 if box.text == before else 0
    raise _build_not_empty_error(target, whole, "it could not be removed; attach to the session and remove it")


def _settle(ctx: Context, target: SendTarget) -> Composer | None:
    """Return the box once it is drawn, and after an interrupt once it no longer changes."""
    box = target.read_composer()
    interrupted_at = target.evidence.state.interrupted_at
    if interrupted_at and 0 <= ctx.clock.now() - interrupted_at < INTERRUPT_SECONDS:
        return _wait_until_stable(ctx, target, box)
    if box is None or box.kind not in ("none", "mode"):
        return box
    for found in _poll(ctx, target, APPEAR_SECONDS):
        if found is None or found.kind not in ("none", "mode"):
            return found
        box = found
    return box


def _wait_for_terminal(ctx: Context, target: SendTarget) -> str:
    """Return the program that reads the terminal in the agent's place, or NO_READER; empty if the agent reads it.

    A helper that ends at once does not count, nor a codex that returns a second after Ctrl-Z (0.171).
    """
    cause = _find_other_reader(target)
    deadline = ctx.clock.monotonic() + APPEAR_SECONDS
    while cause and ctx.clock.monotonic() < deadline:
        ctx.pause(POLL_SECONDS)
        target.refresh()
        cause = _find_other_reader(target)
    return cause


def _find_other_reader(target: SendTarget) -> str:
    program = find_foreground_program(target.evidence)
    if program or target.is_custom or target.agent.find_composer("") is None:
        return program
    agent = target.evidence.agent_process
    terminal = processes.terminal_input(agent.pid) if agent is not None else ""
    return NO_READER if terminal and user_terminal.is_in_line_mode(terminal) else ""


def _wait_until_stable(ctx: Context, target: SendTarget, box: Composer | None) -> Composer | None:
    """Return the box after the interrupt has taken effect: the agent is idle, and the box stays as it is."""
    since = ctx.clock.monotonic()
    for found in _poll(ctx, target, INTERRUPT_SECONDS):
        if found != box:
            box, since = found, ctx.clock.monotonic()
        if ctx.clock.monotonic() - since < STABLE_SECONDS:
            continue
        target.refresh()
        if target.status.session_state != "in_progress":
            return target.read_composer()
    return box


def _poll(ctx: Context, target: SendTarget, seconds: float) -> Iterator[Composer | None]:
    """Yield the box again and again for some seconds. Raise LisaError if the agent ends."""
    deadline = ctx.clock.monotonic() + seconds
    while ctx.clock.monotonic() < deadline:
        ctx.pause(POLL_SECONDS)
        target.require_alive()
        yield target.read_composer()


def _is_own_draft(target: SendTarget, box: Composer) -> bool:
    """Return True if the box holds what lisa typed without submitting it, and no more."""
    typed, shown = target.evidence.state.draft_text, squeeze_text(box.text)
    if not typed or box.text.startswith(target.agent.folded_drafts or "\0"):
        return bool(typed)
    if box.cut:
        return shown in squeeze_text(typed)
    return target.draft_shows(box.text, typed) and len(shown) <= len(squeeze_text(typed))


def _returned_by_interrupt(target: SendTarget) -> bool:
    """Return True if the agent put the newest text back by itself; a person may also take one back from its queue."""
    state = target.evidence.state
    return bool(state.interrupted_at) or (bool(state.last_input_text) and not state.last_input_accepted_at)


def holds_only(target: SendTarget, box: Composer, text: str) -> bool:
    """Return True if the box holds this text, its placeholder or the visible part of it, and nothing else."""
    return target.agent.is_placeholder(box.text, text) or _matches(squeeze_text(box.text), squeeze_text(text))


def _was_sent_before(target: SendTarget, draft: str) -> bool:
    """Return True if the agent, or lisa, was given this text as a prompt before: the newest ones count."""
    wanted = squeeze_text(draft)
    state, meta = target.evidence.state, target.evidence.meta
    pending = bool(state.last_input_text) and not state.last_input_accepted_at
    prompts = [frame.text for frame in target.build_view().frames if frame.kind == "user"]
    if draft.startswith(target.agent.folded_drafts or "\0"):
        is_folded = any(target.agent.is_placeholder(draft, text) for text in prompts[-2:])
        return is_folded or pending or bool(state.interrupted_at)
    earlier = [state.last_input_text, meta.prompt if meta else "", *prompts[-2:]]
    return any(_matches(wanted, squeeze_text(text)) for text in earlier if text)


def _matches(draft: str, text: str) -> bool:
    """Return True for the same text, or the part of a long one that fits into the box."""
    return draft == text or (len(draft) >= _PART_CHARACTERS and draft in text)


def _build_not_visible_error(target: SendTarget, box: Composer, reader: str = "") -> LisaError:
    """Name the mode or the program in front of the agent, and show the end of the screen."""
    program = reader if reader != NO_READER else ""
    mode = box.text if box.kind == "mode" else ""
    cause = "its terminal is in line mode, so that no program reads keys" if reader else "no input box is visible"
    cause = f"{program} has its terminal" if program else f"it shows {mode}" if mode else cause
    screen = [line for line in target.read_screen().split("\n") if line.strip()][-SHOWN_LINES:]
    details: dict[str, Any] = {name: text for name, text in (("program", program), ("mode", mode)) if text}
    return LisaError(
        "input_not_visible",
        f"nothing was typed to {target.ref.session}: {cause}; see lisa session capture --raw, close it with "
        "lisa session send --keys, or type anyway with --force",
        session=target.ref.session,
        sessionState=target.status.session_state,
        screen=screen,
        **details,
    )


def _build_not_empty_error(target: SendTarget, draft: str, hint: str) -> LisaError:
    shown = draft if len(draft) <= _ERROR_CHARACTERS else draft[:_ERROR_CHARACTERS] + "..."
    return LisaError(
        "input_not_empty",
        f"the input box of {target.ref.session} holds text that was not sent: {shown!r}; {hint}",
        session=target.ref.session,
        draft=draft,
    )
