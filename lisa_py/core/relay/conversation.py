"""Reads what was said in a session from the agent's own transcript: only as far back, or as far on, as asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent, Binding, View
from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Frame
from lisa_py.core.context import Context
from lisa_py.core.relay.pane_text import meta_of
from lisa_py.core.watch import evidence, transcript
from lisa_py.core.watch.subject import CLOCK_SLACK
from lisa_py.host import files, processes
from lisa_py.host.clock import rfc3339
from lisa_py.host.tmux import Pane
from lisa_py.store.cursors import TranscriptCursor
from lisa_py.store.places import Place

BLOCK = 1 << 18
FARTHEST = 64 << 20
"""Bytes of a transcript that one call reads at most."""
_RECORD_END = 64
LATE_SECONDS = 1.0
"""How long after a turn's end its last words may be on their way into the transcript."""


class Message(Struct, frozen=True):
    """One thing the user or the agent said."""

    role: str
    text: str
    timestamp: str


class ToolCall(Struct, frozen=True, kw_only=True, rename="camel"):
    """One use of a tool; `after` is the index of the message it follows, -1 before the first."""

    tool: str
    text: str
    timestamp: str
    after: int
    failed: bool = False
    finished: bool = False


class Problem(Struct, frozen=True, kw_only=True):
    """An error the agent noted in its transcript; `after` as in ToolCall."""

    error: str
    text: str
    timestamp: str
    after: int


class Piece(Struct, frozen=True):
    """Some lines of the conversation as people read it."""

    text: str
    said: bool
    """By the agent; False for prompts and tool calls."""
    at: str


class Talk(Struct, frozen=True, kw_only=True):
    """A part of a conversation."""

    session_id: str
    path: str
    messages: tuple[Message, ...]
    tools: tuple[ToolCall, ...]
    problems: tuple[Problem, ...]
    pieces: tuple[Piece, ...]
    cursor: TranscriptCursor
    complete: bool = True
    """Reaches back to where it was asked for; False when more than FARTHEST bytes lie before."""
    reset: str = ""
    """Why it could not go on where the reader stopped: other_transcript, transcript_rewritten."""

    @property
    def text(self) -> str:
        return "\n".join(piece.text for piece in self.pieces)


class Located(Struct, frozen=True):
    """Where a session's transcript is, or why there is none to read."""

    agent: Agent
    binding: Binding
    reason: str = ""


def locate(ctx: Context, place: Place, pane: Pane | None) -> Located:
    """Also for sessions whose agent or pane has ended."""
    meta = meta_of(place)
    try:
        agent = agents.get(meta.agent)
    except LisaError:
        return Located(Agent(), Binding(), "no_metadata")
    view = View(
        meta=meta,
        processes=processes.tree(pane.pid) if pane is not None and not pane.dead else (),
        hooks=evidence.hooks(place),
        environ=ctx.settings.environ,
        now=ctx.clock.now(),
    )
    try:
        binding = agent.bind(view)
    except OSError:
        return Located(agent, Binding(), "no_transcript")
    _let_it_be_written(ctx, agent, binding, view)
    if not binding.transcript:
        reason = "custom_command" if meta.custom_command else "no_transcript"
    else:
        reason = "" if files.size(binding.transcript) > 0 else "transcript_missing"
    return Located(agent, binding, reason)


def _let_it_be_written(ctx: Context, agent: Agent, binding: Binding, view: View) -> None:
    """Wait for the end of a turn whose end was just told: claude 2.1 writes it some 100 ms after it says so."""
    told = [(agent.turn_edge(hook), at) for hook in view.hooks if isinstance(at := hook.get("at"), int | float)]
    ended = max((at for edge, at in told if edge == "end"), default=0.0)
    asked = max((at for edge, at in told if edge == "prompt" and at <= ended), default=0.0)
    if not binding.transcript or not asked:
        return
    while 0 <= ctx.clock.now() - ended < LATE_SECONDS:
        frames = transcript.tail(agent, binding.transcript)
        if any(frame.kind == "turn_end" and frame.at >= asked - CLOCK_SLACK for frame in frames):
            return
        ctx.clock.sleep(0.02)


def newest(found: Located, enough: Callable[[Talk], bool]) -> Talk:
    """The end of the conversation: as much as `enough` wants, else all of it."""
    return _back(found, lambda frames, end: enough(_talk(found, frames, end)))


def later_than(found: Located, moment: float) -> Talk:
    """What was said after a time."""
    return _back(
        found,
        lambda frames, end: any(0 < frame.at <= moment for frame in frames),
        keep=lambda frame: frame.at > moment,
    )


def _back(
    found: Located,
    enough: Callable[[list[Frame], int], bool],
    keep: Callable[[Frame], bool] = lambda frame: True,
) -> Talk:
    """Read blocks from the end backwards until it is enough."""
    path = found.binding.transcript
    start = end = _whole_lines(path)
    block = BLOCK
    frames: list[Frame] = []
    while start > 0 and end - start < FARTHEST:
        begin = max(0, start - block)
        raw = files.read_from(path, begin, start - begin)
        cut = raw.find(b"\n") + 1 if begin else 0
        block *= 4
        if begin and not cut:  # one record is larger than the block
            continue
        start = begin + cut
        frames[:0] = transcript.parse(found.agent, raw[cut:], start)
        if enough(frames, end):
            break
    return _talk(found, [frame for frame in frames if keep(frame)], end, complete=not start or enough(frames, end))


def since(found: Located, cursor: TranscriptCursor) -> Talk:
    """What was said after a cursor; the cost is that of the new part."""
    path, offset = found.binding.transcript, cursor.offset
    reset = ""
    if cursor.path and cursor.path != path:
        reset, offset = "other_transcript", 0
    elif offset > files.size(path) or (cursor.record and cursor.record != _record(path, offset)):
        reset, offset = "transcript_rewritten", 0
    reader = transcript.Reader(found.agent, path, _line_start(path, offset))
    frames: list[Frame] = []
    while True:
        before = reader.offset
        frames.extend(reader.read().frames)
        if reader.offset == before:
            break
    return _talk(found, frames, reader.offset, reset=reset)


# -- where lines begin and end --------------------------------------------------------------------------------------


def _whole_lines(path: str) -> int:
    """Offset behind the last complete line."""
    size = files.size(path)
    block = BLOCK
    while size > 0:
        start = max(0, size - block)
        at = files.read_from(path, start, size - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        if not start:
            return 0
        block *= 4
    return 0


def _line_start(path: str, offset: int) -> int:
    """The offset itself when a line begins there, else where the next one does."""
    if offset <= 0 or files.read_from(path, offset - 1, 1) == b"\n":
        return max(0, offset)
    while True:
        raw = files.read_from(path, offset, BLOCK)
        at = raw.find(b"\n")
        if at >= 0 or not raw:
            return offset + at + 1
        offset += len(raw)


def _cursor(path: str, offset: int) -> TranscriptCursor:
    return TranscriptCursor(offset=offset, path=path, record=_record(path, offset))


def _record(path: str, offset: int) -> str:
    """What tells that the record before an offset is still the same."""
    start = max(0, offset - _RECORD_END)
    return f"{crc32(files.read_from(path, start, offset - start)):08x}"


# -- from frames to words -------------------------------------------------------------------------------------------


def _talk(found: Located, frames: Sequence[Frame], end: int, *, complete: bool = True, reset: str = "") -> Talk:
    build = _Builder()
    for frame in transcript.in_time(frames):
        build.add(frame)
    return Talk(
        session_id=found.binding.session_id,
        path=found.binding.transcript,
        messages=tuple(build.messages),
        tools=tuple(build.calls.values()),
        problems=tuple(build.problems),
        pieces=tuple(build.pieces),
        cursor=_cursor(found.binding.transcript, end),
        complete=complete,
        reset=reset,
    )


class _Builder:
    """Puts frames together: messages, tool calls with how they ended, and the lines people read."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls: dict[str, ToolCall] = {}
        self.problems: list[Problem] = []
        self.pieces: list[Piece] = []
        self._last = ""

    def add(self, frame: Frame) -> None:
        stamp = rfc3339(frame.at, fraction=True) if frame.at else ""
        text = frame.text.strip()
        match frame.kind:
            case "user" if text:
                self._say("user", text, stamp)
            case "assistant" if text:
                self._say("assistant", text, stamp)
            case "result" if text and text not in (message.text for message in self.messages[-3:]):
                self._say("assistant", text, stamp)
            case "tool_use":
                self._call(frame, stamp)
            case "tool_result":
                self._end(frame)
            case "error":
                self._problem(frame, stamp)
            case "turn_end" if frame.reason == "interrupted":
                self._piece("note", "(interrupted)", stamp)

    def _say(self, role: str, text: str, stamp: str) -> None:
        self.messages.append(Message(role, text, stamp))
        self._piece(role, f"> {text}" if role == "user" else text, stamp)

    def _call(self, frame: Frame, stamp: str) -> None:
        call = ToolCall(tool=frame.tool, text=frame.text, timestamp=stamp, after=len(self.messages) - 1)
        self.calls[frame.tool_id or f"#{len(self.calls)}"] = call
        self._piece("tool", f"[{frame.tool}] {frame.text}".rstrip(), stamp)

    def _end(self, frame: Frame) -> None:
        call = self.calls.get(frame.tool_id)
        if call is not None:
            self.calls[frame.tool_id] = ToolCall(
                tool=call.tool,
                text=call.text,
                timestamp=call.timestamp,
                after=call.after,
                failed=frame.failed,
                finished=True,
            )

    def _problem(self, frame: Frame, stamp: str) -> None:
        kind = frame.error or "unknown"
        self.problems.append(Problem(error=kind, text=frame.text, timestamp=stamp, after=len(self.messages) - 1))
        self._piece("note", f"({kind}) {frame.text}".rstrip(), stamp)

    def _piece(self, role: str, text: str, stamp: str) -> None:
        """Messages stand apart by an empty line; tool calls in a row do not."""
        if self.pieces and not (role == "tool" and self._last == "tool"):
            self.pieces.append(Piece("", False, stamp))
        self.pieces.append(Piece(text, role == "assistant", stamp))
        self._last = role
