"""Read an agent's transcript as frames: its newest turn first, then only what is appended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from lisa_py.agents.base import Agent
from lisa_py.contract.frames import Frame
from lisa_py.host import files

BLOCK = 1 << 16
READ_LIMIT = 8 << 20
TAIL_LIMIT = 4 << 20
"""Most bytes read backwards; a turn rarely has more."""
MAX_REORDER_SECONDS = 5.0
"""Largest delay of a record written after a later one (measured: 0.4)."""
MAX_TURN_FRAMES = 4000
"""Frames of one turn that a follower keeps; a longer turn loses its middle."""


class TranscriptChunk(Struct, frozen=True):
    """Frames of whole lines, and the offset of the next read."""

    frames: tuple[Frame, ...]
    offset: int
    reset: bool = False
    """The file was shorter than the offset, so it was read from its start."""


def read_tail(agent: Agent, path: str, *, limit: int = TAIL_LIMIT) -> tuple[Frame, ...]:
    """Return the newest frames, back to the start of the newest turn or for about `limit` bytes."""
    return read_newest(agent, path, limit=limit).frames


def read_newest(agent: Agent, path: str, *, limit: int = TAIL_LIMIT) -> TranscriptChunk:
    """Return the frames of read_tail and the offset after the last whole line."""
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
    """Return the frames ordered by time; one without a time stays behind its predecessor.

    claude 2.1.197 may write an immediate reply before its prompt. A frame that is much older than its predecessor keeps
    its position: the clock was set back, or the record is a copy.
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
    """Return the frames of whole lines that begin at a byte offset."""
    return [frame for _, frames in parse_records(agent, lines, offset) for frame in frames]


def parse_records(agent: Agent, lines: bytes, offset: int) -> Iterator[tuple[int, list[Frame]]]:
    """Yield the offset and the frames of each line that has frames; the lines begin at a byte offset."""
    for line in lines.split(b"\n"):
        start, offset = offset, offset + len(line) + 1
        frames = agent.parse_frames(line, offset) if line else []
        if frames:
            yield start, frames


class TranscriptReader:
    """A forward reader that reads each line once; its cost does not depend on the size of the file."""

    def __init__(self, agent: Agent, path: str, offset: int = 0) -> None:
        self.agent = agent
        self.path = path
        self.offset = offset
        """Byte offset after the last line read."""

    def read(self, limit: int = READ_LIMIT) -> TranscriptChunk:
        """Return the frames of new whole lines; at most about `limit` bytes are read at once."""
        reset, start, lines = self.read_lines(limit)
        return TranscriptChunk(tuple(parse_lines(self.agent, lines, start)), self.offset, reset)

    def read_records(self, limit: int = READ_LIMIT) -> tuple[bool, list[tuple[int, list[Frame]]]]:
        """Return True if the file was shortened, and the new records, each with its offset and frames."""
        reset, start, lines = self.read_lines(limit)
        return reset, list(parse_records(self.agent, lines, start))

    def read_lines(self, limit: int) -> tuple[bool, int, bytes]:
        """Return True if the file was shortened, the offset of the new whole lines, and the lines."""
        size = files.size(self.path)
        reset = 0 <= size < self.offset
        if reset:
            self.offset = 0
        if size <= self.offset:
            return reset, self.offset, b""
        raw = files.read_from(self.path, self.offset, limit)
        while b"\n" not in raw and len(raw) < size - self.offset:
            limit *= 4
            raw = files.read_from(self.path, self.offset, limit)
        start, end = self.offset, raw.rfind(b"\n") + 1
        self.offset += end
        return reset, start, raw[:end]


class TranscriptFollower:
    """The newest turn of a growing transcript, with the last task list."""

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
