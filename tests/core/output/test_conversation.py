"""Read the conversation from a transcript."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from lisa_py import agents
from lisa_py.agents.base import Binding
from lisa_py.core.output import conversation
from lisa_py.core.output.conversation import TranscriptExcerpt, TranscriptLocation
from lisa_py.store.cursors import TranscriptCursor


def record(kind: str, text: str = "", at: float = 1.0, **more: object) -> str:
    return json.dumps({"type": kind, "text": text, "at": at, **more}) + "\n"


def located(path: Path) -> TranscriptLocation:
    return TranscriptLocation(agents.get("scripted"), Binding(session_id="s", transcript=str(path)))


def everything(talk: TranscriptExcerpt) -> bool:
    return False


def turn(number: int) -> str:
    return (
        record("turn_start", at=number)
        + record("user", f"question {number}", at=number)
        + record("assistant", f"answer {number}", at=number + 0.5)
        + record("turn_end", reason="completed", at=number + 0.5)
    )


def test_messages_tools_and_errors_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        record("user", "please look", at=1)
        + record("tool_use", "ls -la", tool="shell", toolId="a")
        + record("tool_use", "false", tool="shell", toolId="b")
        + record("tool_result", "x", toolId="a")
        + record("tool_result", "no", toolId="b", failed=True)
        + record("thinking", "hm")
        + record("assistant", "two files", at=2.5)
        + record("error", "slow down", at=2.6, error="rate_limit")
        + record("turn_end", at=2.6, reason="interrupted")
    )
    talk = conversation.read_newest(located(path), everything)
    assert [(m.role, m.text, m.timestamp) for m in talk.messages] == [
        ("user", "please look", "1970-01-01T00:00:01Z"),
        ("assistant", "two files", "1970-01-01T00:00:02.5Z"),
    ]
    assert [(c.tool, c.text, c.after, c.failed, c.finished) for c in talk.tools] == [
        ("shell", "ls -la", 0, False, True),
        ("shell", "false", 0, True, True),
    ]
    assert [(p.error, p.text, p.after) for p in talk.problems] == [("rate_limit", "slow down", 1)]
    assert talk.text == (
        "> please look\n\n[shell] ls -la\n[shell] false\n\ntwo files\n\n(rate_limit) slow down\n\n(interrupted)"
    )


def test_answer_written_before_its_prompt_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    call = record("tool_use", "ls", tool="shell", toolId="a", at=2)
    path.write_text(turn(0) + call + record("assistant", "two", at=3) + record("user", "look", at=1.5))
    talk = conversation.read_newest(located(path), everything)
    assert [m.text for m in talk.messages] == ["question 0", "answer 0", "look", "two"]
    assert talk.tools[0].after == 2


def test_cursor_returns_each_complete_record_once(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(turn(1))
    talk = conversation.read_newest(located(path), everything)
    with path.open("a") as end:
        end.write(turn(2) + record("user", "half")[:10])
    more = conversation.read_since(located(path), talk.cursor)
    assert [message.text for message in more.messages] == ["question 2", "answer 2"]
    with path.open("a") as end:
        end.write(record("user", "half")[10:])
    assert [m.text for m in conversation.read_since(located(path), more.cursor).messages] == ["half"]


def test_rewritten_or_other_transcript_resets_cursor(tmp_path: Path) -> None:
    path, other = tmp_path / "t.jsonl", tmp_path / "u.jsonl"
    path.write_text(turn(1) + turn(2))
    cursor = conversation.read_newest(located(path), everything).cursor
    path.write_text(turn(5) + turn(6) + turn(7))
    other.write_text(turn(8))
    assert conversation.read_since(located(path), cursor).reset == "transcript_rewritten"
    again = conversation.read_since(located(other), cursor)
    assert (again.reset, again.messages[0].text) == ("other_transcript", "question 8")


def test_offset_inside_record_continues_at_next_record(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(turn(1) + turn(2))
    middle = len(turn(1)) - 5
    talk = conversation.read_since(located(path), TranscriptCursor(offset=middle))
    assert [message.text for message in talk.messages] == ["question 2", "answer 2"]


def test_only_requested_part_is_read_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(turn(number) for number in range(20_000)))
    talk = conversation.read_newest(located(path), lambda part: len(part.messages) >= 4)
    assert talk.messages[-1].text == "answer 19999"
    assert 4 <= len(talk.messages) < 20_000
    assert talk.complete


def test_recent_part_is_bounded_and_has_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(turn(number) for number in range(20_000)))
    talk = conversation.read_recent(located(path), 10_000)
    assert (talk.messages[-1].text, talk.complete) == ("answer 19999", False)
    assert 50 < len(talk.messages) < 500
    result = record("tool_result", "x" * 3000, toolId="a")
    path.write_text("".join(turn(number) for number in range(200)) + record("tool_use", "ls", toolId="a") + 40 * result)
    talk = conversation.read_recent(located(path), 10_000)
    assert (talk.messages[-1].text, talk.tools[-1].text) == ("answer 199", "ls")
    whole = conversation.read_recent(located(path), 1_000_000)
    assert (len(whole.messages), whole.complete) == (400, True)


def test_record_larger_than_a_block_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    huge = "x" * (3 * conversation.BLOCK_BYTES)
    path.write_text(turn(1) + record("assistant", huge, at=2) + record("user", "end", at=3))
    talk = conversation.read_newest(located(path), lambda part: len(part.messages) >= 2)
    assert [message.text for message in talk.messages[-2:]] == [huge, "end"]


def test_read_after_returns_messages_after_a_time(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(turn(number) for number in range(1, 6)))
    talk = conversation.read_after(located(path), 4.0)
    assert [message.text for message in talk.messages] == ["answer 4", "question 5", "answer 5"]


def test_poll_cost_does_not_grow_with_transcript(tmp_path: Path) -> None:
    small, large = tmp_path / "s.jsonl", tmp_path / "l.jsonl"
    small.write_text(turn(1))
    filler = record("assistant", "x" * 10_000) * 100
    with large.open("w") as out:
        for _ in range(30):
            out.write(filler)
    cost = {}
    for path in (large, small):
        cursor = conversation.read_newest(located(path), lambda part: bool(part.messages)).cursor
        best = 9.0
        for _ in range(5):
            began = time.perf_counter()
            conversation.read_since(located(path), cursor)
            best = min(best, time.perf_counter() - began)
        cost[path] = best
    assert cost[large] < cost[small] * 10


def test_newest_answer_is_that_of_the_last_turn(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    call = record("tool_use", "ls", tool="shell", toolId="a", at=2)
    path.write_text(turn(0) + record("user", "look", at=1.5) + record("assistant", "well", at=1.8) + call)
    assert [m.text for m in conversation.read_answer(located(path)).messages] == ["well"]
    with path.open("a") as file:
        file.write(record("assistant", "two", at=3) + record("assistant", "files", at=3.1))
        file.write(record("turn_end", reason="completed", at=3.2))
    assert conversation.read_answer(located(path)).text == "two\n\nfiles"
    with path.open("a") as file:
        file.write(record("turn_start", at=9) + record("assistant", "the shell has ended", at=9.5))
    assert conversation.read_answer(located(path)).text == "the shell has ended"


def test_failed_turn_has_a_problem_instead_of_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(turn(0) + record("user", "look", at=2) + record("error", "slow down", at=3, error="rate_limit"))
    answer = conversation.read_answer(located(path))
    assert (answer.messages, [problem.error for problem in answer.problems]) == ((), ["rate_limit"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claude-exec-retries", "recovered"),
        ("claude-queued", "two"),
        ("claude-steered", "after the escape"),
        ("claude-tasks", "all"),
        ("claude-thinking", "x"),
        ("codex-exec", "said hi"),
        ("codex-interactive", ""),
    ],
)
def test_newest_answer_of_recorded_transcripts(name: str, text: str) -> None:
    path = Path(__file__).parents[2] / "agents" / "transcripts" / f"{name}.jsonl"
    place = TranscriptLocation(agents.get(name.partition("-")[0]), Binding(session_id="s", transcript=str(path)))
    assert conversation.read_answer(place).text == text
