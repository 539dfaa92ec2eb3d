"""Read the content of a pane, whole and with long lines joined, and count its lines as output."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.session_panes import PaneIndex
from lisa_py.host.pane import Pane
from lisa_py.host.tmux import Tmux
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import layout

_ALL = 10_000_000
"""More history lines than any pane has; tmux begins at the oldest."""
START_ROWS = 2000
"""Rows among which the start-up lines of an agent are."""
CHAIN_LINES = 20_000
"""Lines of the panes that one call to tmux reads."""
CHAIN_PANES = 60


class PaneText(Struct, frozen=True):
    """Everything in a pane, oldest line first; soft-wrapped lines are one, trailing blanks are cut."""

    lines: tuple[str, ...]
    pane: Pane
    whole: bool
    """True if the first line is the first of the session: nothing was trimmed, cleared or hidden."""
    from_top: bool
    """True if the first line is the first since the screen was cleared: nothing was trimmed."""
    settled: int
    """First row that the agent redraws all the time (input line, hints); the number of lines for a plain program."""
    counted: int = -1
    """Bytes of settled output, if they were counted with lines that are not here."""

    @property
    def size(self) -> int:
        """Return the bytes of settled output: the offset of the next read."""
        return size_of(self.lines[: self.settled]) if self.counted < 0 else self.counted

    def tail(self, count: int) -> tuple[str, ...]:
        return self.lines[max(0, len(self.lines) - count) :]


def size_of(lines: tuple[str, ...]) -> int:
    """Return the bytes of lines joined by line feeds."""
    return len("\n".join(lines).encode("utf-8", "replace"))


def read(ctx: Context, ref: SessionRef, pane: Pane | UnsetType | None = UNSET) -> PaneText | None:
    """Return the pane of the session, dead or alive; None if tmux has no such session.

    `pane` saves the query if the caller has it. Raise TmuxUnavailable if tmux cannot be queried.
    """
    server = ctx.server(ref)
    if isinstance(pane, UnsetType):
        pane = ctx.find_pane(ref)
    if pane is None:
        return None
    text = server.capture([pane.pane_id], history=_ALL).get(pane.pane_id)
    if text is None:  # ended between the two questions
        return None
    return build(ctx, ref, pane, text)


def read_tail(ctx: Context, ref: SessionRef, count: int, pane: Pane | UnsetType | None = UNSET) -> PaneText | None:
    """Return at least the last `count` lines; of a pane with a long history no more than needed. Raises as `read`."""
    if isinstance(pane, UnsetType):
        pane = ctx.find_pane(ref)
    if pane is None:
        return None
    rows = count
    while rows + START_ROWS < pane.history:
        text = ctx.server(ref).capture([pane.pane_id], history=rows).get(pane.pane_id)
        if text is None:
            return None
        found = build_tail(ref, pane, text)
        if len(found.lines) >= count:
            return found
        rows *= 4
    return read(ctx, ref, pane)


def build_tail(ref: SessionRef, pane: Pane, text: str, counted: int = -1) -> PaneText:
    """Return the last lines of a pane from a text that may begin within a line."""
    lines = tuple(text.split("\n")[1:])
    settled = len(lines) if pane.dead else agents.layout_of(read_meta_or_default(ref)).frame_start(lines)
    return PaneText(lines=lines, pane=pane, whole=False, from_top=False, settled=settled, counted=counted)


class ChainedTexts:
    """The texts of many panes of one server, each taken once; a call to tmux reads several of them."""

    def __init__(self, server: Tmux, panes: Sequence[Pane]) -> None:
        self._server = server
        self._waiting = {pane.pane_id: pane for pane in panes}
        self._texts: dict[str, str] = {}

    def take(self, pane: Pane) -> str | None:
        """Return the text of a pane; None if it is gone or was taken. Raise TmuxUnavailable."""
        while pane.pane_id in self._waiting:
            batch = self._next_batch()
            self._texts |= self._server.capture(batch, history=_ALL)
        return self._texts.pop(pane.pane_id, None)

    def _next_batch(self) -> list[str]:
        batch: list[str] = []
        lines = 0
        while self._waiting and len(batch) < CHAIN_PANES and lines < CHAIN_LINES:
            pane = self._waiting.pop(next(iter(self._waiting)))
            batch.append(pane.pane_id)
            lines += pane.history + pane.height
        return batch


def read_many(ctx: Context, refs: Sequence[SessionRef]) -> list[PaneText | None]:
    """Read many sessions with two queries per tmux server."""
    servers = [ctx.server(ref) for ref in refs]
    panes: dict[str, PaneIndex] = {}
    mine: list[Pane | None] = []
    wanted: dict[str, list[str]] = {}
    for ref, server in zip(refs, servers, strict=True):
        if server.socket not in panes:
            panes[server.socket] = PaneIndex(ctx.list_panes(ref.project, server.socket))
        pane = panes[server.socket].find(ref.session, read_meta_or_default(ref))
        mine.append(pane)
        if pane is not None:
            wanted.setdefault(server.socket, []).append(pane.pane_id)
    by_socket = {server.socket: server for server in servers}
    texts = {socket: by_socket[socket].capture(ids, history=_ALL) for socket, ids in wanted.items()}
    found: list[PaneText | None] = []
    for ref, server, pane in zip(refs, servers, mine, strict=True):
        text = texts[server.socket].get(pane.pane_id) if pane is not None else None
        found.append(build(ctx, ref, pane, text) if pane is not None and text is not None else None)
    return found


def build(ctx: Context, ref: SessionRef, pane: Pane, text: str) -> PaneText:
    """Return the content of the pane from the text of its whole history."""
    lines = tuple(text.split("\n")) if text else ()
    # tmux 3.3a trims a tenth of its limit at a time
    meta = read_meta_or_default(ref)
    from_top = not pane.alternate and pane.history < ctx.settings.history_lines * 9 // 10
    return PaneText(
        lines=lines,
        pane=pane,
        whole=not pane.alternate and _is_whole(lines, from_top, meta),
        from_top=from_top,
        settled=len(lines) if pane.dead else agents.layout_of(meta).frame_start(lines),
    )


def read_meta_or_default(ref: SessionRef) -> SessionMeta:
    """Return the metadata of the session; empty if missing or unreadable."""
    try:
        return session_records.read_meta(ref) or SessionMeta(session=ref.session)
    except UnreadableRecord:
        return SessionMeta(session=ref.session)


def _is_whole(lines: tuple[str, ...], from_top: bool, meta: SessionMeta) -> bool:
    if not meta.run_id:
        return from_top
    first = next((line for line in lines if line.strip()), "")
    return first.startswith(f"{layout.START_MARK}:{meta.run_id}:")
