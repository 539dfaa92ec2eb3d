"""Read the conversation of a session from its transcript, no further back or ahead than requested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent, Binding, View
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Frame
from lisa_py.core.context import Context
from lisa_py.core.output.pane_text import read_meta_or_default
from lisa_py.core.status import agent_reports, transcript
from lisa_py.core.status.evidence import CLOCK_SLACK
from lisa_py.host import files, processes
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.tmux import Pane
from lisa_py.store.cursors import TranscriptCursor
from lisa_py.store.paths import SessionRef

BLOCK_BYTES = 1 << 18
MAX_READ_BYTES = 64 << 20
"""Maximum bytes of a transcript read by one call."""
_DIGEST_BYTES = 64
FLUSH_SECONDS = 1.0
"""Seconds after the end of a turn until its last text must be in the transcript."""


class Message(Struct, frozen=True):
    """One message of the user or the agent."""

    role: str
    text: str
    timestamp: str


class ToolCall(Answer):
    """One tool call; `after` is the index of the preceding message, -1 before the first."""

    tool: str
    text: str
    timestamp: str
    after: int
    failed: bool = False
    finished: bool = False


class Problem(Struct, frozen=True, kw_only=True):
    """An error in the transcript; `after` as in ToolCall."""

    error: str
    text: str
    timestamp: str
    after: int


class Piece(Struct, frozen=True):
    """Some lines of the conversation as people read it."""

    text: str
    is_reply: bool
    """True for lines of the agent; False for prompts and tool calls."""
    at: str


class TranscriptExcerpt(Struct, frozen=True, kw_only=True):
    """A part of a conversation."""

    session_id: str
    path: str
    messages: tuple[Message, ...]
    tools: tuple[ToolCall, ...]
    problems: tuple[Problem, ...]
    pieces: tuple[Piece, ...]
    cursor: TranscriptCursor
    complete: bool = True
    """True if it reaches back to the requested start; False if more than MAX_READ_BYTES precede it."""
    reset: str = ""
    """Reason why it could not continue at the reader's position: other_transcript, transcript_rewritten."""

    @property
    def text(self) -> str:
        return "\n".join(piece.text for piece in self.pieces)


class TranscriptLocation(Struct, frozen=True):
    """Transcript path of a session, or the reason why there is none."""

    agent: Agent
    binding: Binding
    reason: str = ""


def locate(ctx: Context, ref: SessionRef, pane: Pane | None) -> TranscriptLocation:
    """Locate the transcript, also of sessions whose agent or pane has ended."""
    meta = read_meta_or_default(ref)
    try:
        agent = agents.get(meta.agent)
    except LisaError:
        return TranscriptLocation(Agent(), Binding(), "no_metadata")
    tree = processes.read_tree(pane.pid) if pane is not None and not pane.dead else ()
    view = agent_reports.build_view(ctx, ref, agent, meta, tree=tree)
    try:
        binding = agent.bind(view)
    except OSError:
        return TranscriptLocation(agent, Binding(), "no_transcript")
    _wait_for_flush(ctx, agent, binding, view)
    if not binding.transcript:
        reason = "custom_command" if meta.custom_command else "no_transcript"
    else:
        reason = "" if files.size(binding.transcript) > 0 else "transcript_missing"
    return TranscriptLocation(agent, binding, reason)


def _wait_for_flush(ctx: Context, agent: Agent, binding: Binding, view: View) -> None:
    """Wait for the record of a turn end that was just reported: claude 2.1 writes it about 100 ms later."""
    edges = [(agent.turn_edge(hook), at) for hook in view.hooks if isinstance(at := hook.get("at"), int | float)]
    ended_at = max((at for edge, at in edges if edge == "end"), default=0.0)
    prompted_at = max((at for edge, at in edges if edge == "prompt" and at <= ended_at), default=0.0)
    if not binding.transcript or not prompted_at:
        return
    while 0 <= ctx.clock.now() - ended_at < FLUSH_SECONDS:
        frames = transcript.read_tail(agent, binding.transcript)
        if any(frame.kind == "turn_end" and frame.at >= prompted_at - CLOCK_SLACK for frame in frames):
            return
        ctx.clock.sleep(0.02)


def read_newest(location: TranscriptLocation, enough: Callable[[TranscriptExcerpt], bool]) -> TranscriptExcerpt:
    """Return the end of the conversation: as much as `enough` requires, else all of it."""
    return _read_backwards(location, lambda frames, end: enough(_build_excerpt(location, frames, end)))


def read_recent(location: TranscriptLocation, size: int) -> TranscriptExcerpt:
    """Return the newest part of the conversation, of about `size` bytes, and no less than one message."""
    frames, start, end = transcript.read_backwards(
        location.agent,
        location.binding.transcript,
        lambda frames, end: end - frames[0].offset >= size and any(map(_is_message, frames)) if frames else False,
        block=min(BLOCK_BYTES, size),
        limit=MAX_READ_BYTES,
    )
    return _build_excerpt(location, frames, end, complete=not start)


def _is_message(frame: Frame) -> bool:
    return frame.kind in ("user", "assistant", "result") and bool(frame.text.strip())


def read_after(location: TranscriptLocation, moment: float) -> TranscriptExcerpt:
    """Return the conversation after a time."""
    return _read_backwards(
        location,
        lambda frames, end: any(0 < frame.at <= moment for frame in frames),
        keep=lambda frame: frame.at > moment,
    )


def read_answer(location: TranscriptLocation) -> TranscriptExcerpt:
    """Return the newest answer to the last prompt, without messages if there is none.

    It is the agent's text after its last tool call, and of several turns (helpers, background shells) of the last one.
    """
    frames, _, end = transcript.read_backwards(
        location.agent,
        location.binding.transcript,
        lambda frames, end: any(_is_prompt(frame) for frame in frames),
        block=BLOCK_BYTES,
        limit=MAX_READ_BYTES,
    )
    turn = transcript.sort_by_time(frames)
    turn = turn[max((at + 1 for at, frame in enumerate(turn) if _is_prompt(frame)), default=0) :]
    spoken = [at for at, frame in enumerate(turn) if frame.kind in ("assistant", "result") and frame.text.strip()]
    breaks = [
        at for at, frame in enumerate(turn) if frame.kind in ("tool_use", "turn_end") and at < max(spoken, default=0)
    ]
    answer = [turn[at] for at in spoken if at > max(breaks, default=-1)]
    failures = [frame for frame in turn if frame.kind == "error"] if not answer else []
    return _build_excerpt(location, answer or failures, end)


def _is_prompt(frame: Frame) -> bool:
    return frame.kind == "user" and bool(frame.text.strip())


def _read_backwards(
    location: TranscriptLocation,
    enough: Callable[[list[Frame], int], bool],
    keep: Callable[[Frame], bool] = lambda frame: True,
) -> TranscriptExcerpt:
    """Read blocks backwards from the end until enough is read."""
    frames, start, end = transcript.read_backwards(
        location.agent, location.binding.transcript, enough, block=BLOCK_BYTES, limit=MAX_READ_BYTES
    )
    return _build_excerpt(
        location, [frame for frame in frames if keep(frame)], end, complete=not start or enough(frames, end)
    )


def read_since(location: TranscriptLocation, cursor: TranscriptCursor) -> TranscriptExcerpt:
    """Return the conversation after a cursor, at the cost of the new part."""
    path, offset = location.binding.transcript, cursor.offset
    reset = ""
    if cursor.path and cursor.path != path:
        reset, offset = "other_transcript", 0
    elif offset > files.size(path) or (cursor.record and cursor.record != _record_digest(path, offset)):
        reset, offset = "transcript_rewritten", 0
    reader = transcript.TranscriptReader(location.agent, path, _line_start(path, offset))
    frames: list[Frame] = []
    while True:
        before = reader.offset
        frames.extend(reader.read().frames)
        if reader.offset == before:
            break
    return _build_excerpt(location, frames, reader.offset, reset=reset)


# -- where lines begin and end --------------------------------------------------------------------------------------


def _line_start(path: str, offset: int) -> int:
    """Return the offset if a line begins there, else the start of the next line."""
    if offset <= 0 or files.read_from(path, offset - 1, 1) == b"\n":
        return max(0, offset)
    while True:
        raw = files.read_from(path, offset, BLOCK_BYTES)
        at = raw.find(b"\n")
        if at >= 0 or not raw:
            return offset + at + 1
        offset += len(raw)


def _make_cursor(path: str, offset: int) -> TranscriptCursor:
    return TranscriptCursor(offset=offset, path=path, record=_record_digest(path, offset))


def _record_digest(path: str, offset: int) -> str:
    """Return the digest that identifies the record before an offset."""
    start = max(0, offset - _DIGEST_BYTES)
    return f"{crc32(files.read_from(path, start, offset - start)):08x}"


# -- from frames to text -------------------------------------------------------------------------------------------


def _build_excerpt(
    location: TranscriptLocation, frames: Sequence[Frame], end: int, *, complete: bool = True, reset: str = ""
) -> TranscriptExcerpt:
    build = _ExcerptBuilder()
    for frame in transcript.sort_by_time(frames):
        build.add(frame)
    return TranscriptExcerpt(
        session_id=location.binding.session_id,
        path=location.binding.transcript,
        messages=tuple(build.messages),
        tools=tuple(build.calls.values()),
        problems=tuple(build.problems),
        pieces=tuple(build.pieces),
        cursor=_make_cursor(location.binding.transcript, end),
        complete=complete,
        reset=reset,
    )


class _ExcerptBuilder:
    """Assemble frames to messages, tool calls with results, and readable lines."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls: dict[str, ToolCall] = {}
        self.problems: list[Problem] = []
        self.pieces: list[Piece] = []
        self._last_role = ""

    def add(self, frame: Frame) -> None:
        stamp = format_rfc3339(frame.at, fraction=True) if frame.at else ""
        text = frame.text.strip()
        match frame.kind:
            case "user" if text:
                self._add_message("user", text, stamp)
            case "assistant" if text:
                self._add_message("assistant", text, stamp)
            case "result" if text and text not in (message.text for message in self.messages[-3:]):
                self._add_message("assistant", text, stamp)
            case "tool_use":
                self._add_call(frame, stamp)
            case "tool_result":
                self._finish_call(frame)
            case "error":
                self._add_problem(frame, stamp)
            case "turn_end" if frame.reason == "interrupted":
                self._add_piece("note", "(interrupted)", stamp)

    def _add_message(self, role: str, text: str, stamp: str) -> None:
        self.messages.append(Message(role, text, stamp))
        self._add_piece(role, f"> {text}" if role == "user" else text, stamp)

    def _add_call(self, frame: Frame, stamp: str) -> None:
        call = ToolCall(tool=frame.tool, text=frame.text, timestamp=stamp, after=len(self.messages) - 1)
        self.calls[frame.tool_id or f"#{len(self.calls)}"] = call
        self._add_piece("tool", f"[{frame.tool}] {frame.text}".rstrip(), stamp)

    def _finish_call(self, frame: Frame) -> None:
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

    def _add_problem(self, frame: Frame, stamp: str) -> None:
        kind = frame.error or "unknown"
        self.problems.append(Problem(error=kind, text=frame.text, timestamp=stamp, after=len(self.messages) - 1))
        self._add_piece("note", f"({kind}) {frame.text}".rstrip(), stamp)

    def _add_piece(self, role: str, text: str, stamp: str) -> None:
        """Separate messages by an empty line, but not consecutive tool calls."""
        if self.pieces and not (role == "tool" and self._last_role == "tool"):
            self.pieces.append(Piece("", False, stamp))
        self.pieces.append(Piece(text, role == "assistant", stamp))
        self._last_role = role
