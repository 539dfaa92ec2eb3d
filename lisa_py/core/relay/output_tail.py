"""The newest output of a session: from its agent's transcript where there is one, else from its pane, else as kept."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.relay import conversation, cursor, pane_capture, pane_text
from lisa_py.core.relay.masking import MARGIN, Mask
from lisa_py.core.relay.pane_text import PaneText
from lisa_py.host import files
from lisa_py.store.cursors import PaneCursor, TranscriptCursor
from lisa_py.store.places import Place


class Tail(Struct, frozen=True, kw_only=True):
    """Some last lines, and where readers of pane and transcript go on after them."""

    lines: tuple[str, ...] = ()
    source: str = "none"
    """transcript, pane, saved (the last screen of an ended session) or none."""
    next_offset: int = 0
    """Of the pane: what `capture --raw --delta-from` takes."""
    pane: PaneCursor | None = None
    transcript: TranscriptCursor | None = None


def read(
    ctx: Context,
    place: Place,
    count: int,
    mask: Mask,
    *,
    dialog: bool = False,
    pane: PaneText | UnsetType | None = UNSET,
) -> Tail:
    """The last `count` lines, masked before they are cut; `dialog` says that the bottom of the screen matters.

    A tmux that cannot be asked leaves what can be read without it; `pane` spares the question to who has asked.
    """
    text = _pane(ctx, place) if isinstance(pane, UnsetType) else pane
    stand = cursor.everything(text, pane_text.meta_of(place).run_id).cursor if text else None
    offset = text.size if text else 0
    found = conversation.locate(ctx, place, text.pane if text else None)
    if not found.reason:
        talk = conversation.newest(found, lambda so_far: so_far.text.count("\n") >= count + MARGIN)
        if talk.messages:
            lines = _last(talk.text.split("\n"), count, mask)
            return Tail(lines=lines, source="transcript", next_offset=offset, pane=stand, transcript=talk.cursor)
    if text is not None:
        lines = _last(_of_pane(text, place, dialog), count, mask)
        return Tail(lines=lines, source="pane", next_offset=offset, pane=stand)
    saved = files.read_from(place.output, 0, 1 << 20).decode("utf-8", "replace").rstrip("\n")
    return Tail(lines=_last(saved.split("\n"), count, mask), source="saved") if saved else Tail()


def _pane(ctx: Context, place: Place) -> PaneText | None:
    try:
        return pane_text.read(ctx, place)
    except TmuxUnavailable:
        return None


def _of_pane(text: PaneText, place: Place, dialog: bool) -> list[str]:
    """Without chatter and without the part an agent keeps redrawing, unless nothing else is there to see."""
    sifted = pane_capture.sift(text, pane_text.meta_of(place))
    settled = [] if dialog else sifted.of(text.lines[: text.settled])
    return settled if any(line.strip() for line in settled) else sifted.of(text.lines)


def _last(lines: list[str], count: int, mask: Mask) -> tuple[str, ...]:
    near = "\n".join(lines[-(count + MARGIN) :]).strip("\n")
    return mask.lines(near.split("\n"))[-count:] if near else ()
