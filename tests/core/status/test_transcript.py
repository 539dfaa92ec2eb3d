"""Reading transcripts backwards and forwards, at a cost independent of the file's size."""

from __future__ import annotations

import json
from pathlib import Path

from lisa_py.agents.base import Agent
from lisa_py.contract.frames import Frame, Todo
from lisa_py.core.status import transcript
from lisa_py.core.status.transcript import TranscriptFollower, TranscriptReader, read_newest, read_tail


class Lines(Agent):
    """An agent whose records are `{"kind", "text"}`."""

    def __init__(self) -> None:
        self.parsed = 0

    def parse_frames(self, line: bytes, offset: int) -> list[Frame]:
        self.parsed += 1
        record = json.loads(line)
        todos = tuple(Todo(text, "pending") for text in record.get("todos", ()))
        text, at = record.get("text", ""), record.get("at", 0.0)
        return [Frame(kind=record["kind"], at=at, text=text, offset=offset, todos=todos)]


def write(path: Path, *records: dict[str, object], end: str = "\n") -> None:
    with path.open("a") as stream:
        stream.write("\n".join(json.dumps(record) for record in records) + end)


def turn(number: int, size: int = 3) -> list[dict[str, object]]:
    middle: list[dict[str, object]] = [{"kind": "assistant", "text": f"{number}.{step}"} for step in range(size)]
    return [{"kind": "turn_start", "text": str(number)}, *middle, {"kind": "turn_end"}]


def test_tail_reaches_back_to_the_newest_turn(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1), *turn(2))
    frames = read_tail(Lines(), str(path))
    assert [frame.text for frame in frames if frame.kind == "assistant"][-3:] == ["2.0", "2.1", "2.2"]


def test_missing_or_empty_transcript_has_no_frames(tmp_path: Path) -> None:
    assert read_tail(Lines(), str(tmp_path / "none")) == ()
    (tmp_path / "empty").touch()
    assert read_tail(Lines(), str(tmp_path / "empty")) == ()


def test_turn_longer_than_a_block_is_read_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1, 10), {"kind": "turn_start", "text": "2"})
    write(path, *({"kind": "assistant", "text": f"{step:06d}" + "x" * 500} for step in range(1000)))
    frames = read_tail(Lines(), str(path))
    begin = max(at for at, frame in enumerate(frames) if frame.kind == "turn_start")
    assert [frame.text[:6] for frame in frames[begin + 1 :]] == [f"{step:06d}" for step in range(1000)]
    assert frames[begin].text == "2"


def test_record_longer_than_any_block_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, {"kind": "turn_start"}, {"kind": "assistant", "text": "y" * (transcript.BLOCK * 6)})
    assert [len(frame.text) for frame in read_tail(Lines(), str(path))] == [0, transcript.BLOCK * 6]


def test_partially_written_line_is_deferred(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1))
    with path.open("a") as stream:
        stream.write('{"kind": "assistant", "text": "' + "z" * (transcript.BLOCK * 2))
    chunk = read_newest(Lines(), str(path))
    assert chunk.frames[-1].kind == "turn_end"
    reader = TranscriptReader(Lines(), str(path), chunk.offset)
    assert reader.read().frames == ()
    with path.open("a") as stream:
        stream.write('"}\n')
    assert [frame.text[:1] for frame in reader.read().frames] == ["z"]


def test_reader_gives_each_record_once(tmp_path: Path) -> None:
    path = tmp_path / "t"
    agent = Lines()
    reader = TranscriptReader(agent, str(path))
    assert reader.read().frames == ()
    write(path, *turn(1))
    assert len(reader.read().frames) == 5
    assert reader.read().frames == ()
    write(path, *turn(2))
    assert reader.read().frames[0].text == "2"
    assert agent.parsed == 10


def test_reader_continues_after_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1, 50))
    reader = TranscriptReader(Lines(), str(path))
    seen = []
    while chunk := reader.read(limit=200).frames:
        seen += [frame.text for frame in chunk if frame.kind == "assistant"]
    assert seen == [f"1.{step}" for step in range(50)]


def test_rewritten_transcript_is_read_again_with_reset(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1, 20))
    reader = TranscriptReader(Lines(), str(path))
    reader.read()
    path.unlink()
    write(path, *turn(2, 1))
    chunk = reader.read()
    assert (chunk.reset, chunk.frames[0].text) == (True, "2")


def test_following_reads_only_new_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for number in range(200):
        write(path, *turn(number, 60))
    agent = Lines()
    follower = TranscriptFollower(agent, str(path))
    at_first = agent.parsed
    assert at_first < 4000, "the whole file was parsed"
    write(path, *turn(1000, 2))
    frames = follower.frames()
    assert agent.parsed == at_first + 4
    assert [frame.text for frame in frames if frame.kind == "turn_start"] == ["1000"]


def test_follower_keeps_the_last_task_list_of_an_earlier_turn(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, {"kind": "turn_start"}, {"kind": "tool_use", "todos": ["a", "b"]}, {"kind": "turn_end"})
    follower = TranscriptFollower(Lines(), str(path))
    write(path, *turn(2))
    assert [todo.text for frame in follower.frames() for todo in frame.todos] == ["a", "b"]


def test_frames_are_ordered_by_time(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1))
    follower = TranscriptFollower(Lines(), str(path))
    write(path, {"kind": "system", "text": "late", "at": 9.0}, {"kind": "turn_start", "at": 8.0})
    assert [frame.text for frame in follower.frames()] == ["", "late"]
    assert [frame.text for frame in read_tail(Lines(), str(path))][-2:] == ["", "late"]
    write(path, {"kind": "turn_start", "at": 10.0})
    assert [frame.at for frame in follower.frames()] == [10.0]


def test_clock_set_back_does_not_hide_the_new_turn(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, {"kind": "turn_start", "at": 5000.0}, {"kind": "turn_end", "at": 5001.0})
    follower = TranscriptFollower(Lines(), str(path))
    write(path, {"kind": "turn_start", "at": 1400.0}, {"kind": "assistant", "text": "now", "at": 1401.0})
    assert [(frame.kind, frame.at) for frame in follower.frames()] == [("turn_start", 1400.0), ("assistant", 1401.0)]


def test_follower_of_an_endless_turn_has_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, {"kind": "turn_start"})
    follower = TranscriptFollower(Lines(), str(path))
    for _ in range(4):
        write(path, *({"kind": "assistant", "text": str(step)} for step in range(transcript.MAX_TURN_FRAMES)))
        assert len(follower.frames()) <= transcript.MAX_TURN_FRAMES
    assert follower.frames()[0].kind == "turn_start"


def test_offset_of_a_frame_follows_its_record(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, *turn(1))
    frames = read_tail(Lines(), str(path))
    assert frames[-1].offset == path.stat().st_size
    assert path.read_bytes()[: frames[0].offset].endswith(b"\n")
