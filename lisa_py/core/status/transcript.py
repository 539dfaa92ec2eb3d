"""An agent's transcript as frames: the tail of it at once, and what is new since, never the whole file again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.agents.base import Agent
from lisa_py.contract.frames import Frame
from lisa_py.host import files

BLOCK = 1 << 16
TAIL_LIMIT = 4 << 20
"""Bytes that are read backwards at most; one turn rarely has more."""
MAX_REORDER_SECONDS = 5.0
"""How much later than what came after it a record may be written (seen: 0.4)."""
MAX_TURN_FRAMES = 4000
"""Frames of one turn that a follower keeps; a longer turn loses its middle."""


class TranscriptChunk(Struct, frozen=True):
    """Frames of whole lines, and where the next reader goes on."""

    frames: tuple[Frame, ...]
    offset: int
    reset: bool = False
    """The file is not the one that was read before (shorter than the offset): reading began anew."""


def read_tail(agent: Agent, path: str, *, limit: int = TAIL_LIMIT) -> tuple[Frame, ...]:
    """The newest frames, at least back to the newest turn's start unless that lies more than `limit` bytes back."""
    return read_newest(agent, path, limit=limit).frames


def read_newest(agent: Agent, path: str, *, limit: int = TAIL_LIMIT) -> TranscriptChunk:
    """As read_tail, with the offset behind the last whole line."""
    frames, _, end = read_backwards(agent, path, lambda found, _: _has_turn_start(found), block=BLOCK, limit=limit)
    return TranscriptChunk(tuple(sort_by_time(frames)), end)


def read_backwards(
    agent: Agent, path: str, enough: Callable[[list[Frame], int], bool], *, block: int, limit: int
) -> tuple[list[Frame], int, int]:
    """Read from the end back until `enough(frames, end)`; return the frames and the offsets of start and end."""
    frames: list[Frame] = []
    start = end = 0
    for offset, lines in files.read_lines_backwards(path, block, limit):
        end = end or offset + len(lines)
        start = offset
        frames[:0] = parse_lines(agent, lines, offset)
        if enough(frames, end):
            break
    return frames, start, end


def _has_turn_start(frames: Sequence[Frame]) -> bool:
    return any(frame.kind == "turn_start" for frame in frames)


def sort_by_time(frames: Sequence[Frame]) -> list[Frame]:
    """The frames in the order of their times; one without a time stays behind the one before it.

    Agents do not write their records so: in a file of claude 2.1.197 an answer that comes at once may stand before its
    prompt. What is much older than what stands before it stays where it is: a clock was set back, or it is a copy.
    """
    sort_time = newest = 0.0
    timed: list[tuple[float, Frame]] = []
    for frame in frames:
        if frame.at:
            newest = max(newest, frame.at)
            sort_time = frame.at if newest - frame.at < MAX_REORDER_SECONDS else newest
        timed.append((sort_time, frame))
    return [frame for _, frame in sorted(timed, key=lambda pair: pair[0])]


def parse_lines(agent: Agent, lines: bytes, offset: int) -> list[Frame]:
    """The frames of some whole lines that begin at a byte offset."""
    found: list[Frame] = []
    for line in lines.split(b"\n"):
        offset += len(line) + 1
        if line:
            found.extend(agent.parse_frames(line, offset))
    return found


class TranscriptReader:
    """Reads a transcript forwards, each line once; a poll costs what is new, however large the file is."""

    def __init__(self, agent: Agent, path: str, offset: int = 0) -> None:
        self.agent = agent
        self.path = path
        self.offset = offset
        """Byte offset behind the last line that was read."""

    def read(self, limit: int = 8 << 20) -> TranscriptChunk:
        """The frames of the whole lines that are new (about `limit` bytes at most; the rest comes next time)."""
        size = files.size(self.path)
        reset = 0 <= size < self.offset
        if reset:
            self.offset = 0
        if size <= self.offset:
            return TranscriptChunk((), self.offset, reset)
        raw = files.read_from(self.path, self.offset, limit)
        while b"\n" not in raw and len(raw) < size - self.offset:
            limit *= 4
            raw = files.read_from(self.path, self.offset, limit)
        end = raw.rfind(b"\n") + 1
        frames = parse_lines(self.agent, raw[:end], self.offset)
        self.offset += end
        return TranscriptChunk(tuple(frames), self.offset, reset)


class TranscriptFollower:
    """Keeps the newest turn of a growing transcript at hand, with the last task list."""

    def __init__(self, agent: Agent, path: str) -> None:
        self.path = path
        first = read_newest(agent, path)
        self._reader = TranscriptReader(agent, path, first.offset)
        self._frames = _last_turn(list(first.frames))

    def frames(self) -> tuple[Frame, ...]:
        chunk = self._reader.read()
        if chunk.reset:
            self._frames = []
        if chunk.frames:
            self._frames = _last_turn([*self._frames, *chunk.frames])
        return tuple(self._frames)


def _last_turn(frames: list[Frame]) -> list[Frame]:
    frames = sort_by_time(frames)
    begin = next((at for at in range(len(frames) - 1, -1, -1) if frames[at].kind == "turn_start"), 0)
    todos = [frame for frame in frames[:begin] if frame.todos][-1:]
    turn = frames[begin:]
    return todos + (turn if len(turn) <= MAX_TURN_FRAMES else turn[:10] + turn[-MAX_TURN_FRAMES // 2 :])
