"""The frames of a session: each once, in order, from any position."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lisa_py.contract.live import LiveFrame
from lisa_py.core.live import attach as live_attach
from lisa_py.core.live.feed import SessionFeed
from lisa_py.store import json_records, limit_records
from lisa_py.store.limit_records import LimitNotice, LimitProgress
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


class Reader(threading.Thread):
    """A feed that is followed in its own thread."""

    def __init__(self, stage: SessionHarness, since: str = "") -> None:
        super().__init__(daemon=True)
        self.ctx = stage.machine.context()
        self.ref = stage.ref
        self.since = since
        self.frames: list[LiveFrame] = []
        self.feed: SessionFeed | None = None
        self.start()

    def run(self) -> None:
        with SessionFeed(self.ctx, self.ref, self.since) as feed:
            self.feed = feed
            for frame in feed.follow():
                self.frames.append(frame)

    def wait_for(self, kind: str, text: str = "") -> LiveFrame:
        def find() -> LiveFrame | None:
            return next((each for each in self.frames if each.type == kind and text in str(each.payload)), None)

        return wait_until(find, what=f"{kind} {text} among {self.kinds()}")

    def kinds(self) -> list[str]:
        return [frame.type for frame in self.frames]

    def conversation(self) -> list[tuple[str, Any]]:
        """Return the frames of the transcript: status frames depend on when they are read."""
        kinds = ("session_status", "tool_approval_request", "ask_user_question", "dialog", "session_end")
        notes = ("dialog_closed", "approval_decided", "interrupted")
        return [
            (frame.cursor, frame.payload)
            for frame in self.frames
            if frame.type not in kinds and getattr(frame.payload, "subtype", "") not in notes
        ]


def read_history(stage: SessionHarness, since: str = "") -> list[LiveFrame]:
    with SessionFeed(stage.ctx, stage.ref, since) as feed:
        frames = list(feed.history())
        assert not feed.reset, feed.reset
        return frames


def test_turn_is_delivered_in_order(stage: SessionHarness) -> None:
    reader = Reader(stage.spawn())
    stage.send("[say hello] [run touch x] [say bye]")
    reader.wait_for("assistant", "bye")
    reader.wait_for("result")
    kinds = [kind for kind in reader.kinds() if kind not in ("session_status", "usage_delta")]
    assert kinds == ["user", "assistant", "tool_use", "tool_result", "assistant", "result"]
    assert reader.wait_for("tool_use").payload.input == "touch x"  # type: ignore[union-attr]


def test_limit_notice_after_the_first_frame_is_reported(stage: SessionHarness) -> None:
    stage.spawn()
    limits = limit_records.LimitRecord(run_id="run", started_at=0, started_monotonic=0, max_turns=2)
    json_records.save(stage.ref.file(limit_records.FILE), limits)
    notices = [LimitNotice(limit="max_turns", at=1, subtype="budget_warning", message=text) for text in ("old", "new")]
    limit_records.write_progress(stage.ref, LimitProgress(run_id="run", notices=notices[:1]))
    with SessionFeed(stage.ctx, stage.ref) as feed:
        frames = feed.follow()
        assert next(frames).type == "session_status"
        limit_records.write_progress(stage.ref, LimitProgress(run_id="run", notices=notices))
        feed.deadline = time.monotonic() + 20
        assert next(frame.payload for frame in frames if frame.type == "system").message == "new"  # type: ignore[union-attr]


def test_every_cursor_continues_without_gap_or_repeat(stage: SessionHarness) -> None:
    stage.spawn().send("[say one] [run true] [say two]")
    stage.wait_for_text("● two")
    stage.send("/clear")
    stage.send("[say three]")
    stage.wait_for_text("● three")
    stage.wait_for_state("idle")
    whole = read_history(stage)
    assert [frame.type for frame in whole].count("user") == 2  # of two conversations
    for count, frame in enumerate(whole, 1):
        assert read_history(stage, frame.cursor) == whole[count:], frame


def test_all_readers_get_the_same_frames(stage: SessionHarness) -> None:
    stage.spawn().send("[say first]")
    early, late = Reader(stage), None
    stage.wait_for_text("● first")
    late = Reader(stage)
    stage.send("[say second]")
    for reader in (early, late):
        reader.wait_for("assistant", "second")
        reader.wait_for("session_status", "idle")
    wait_until(lambda: early.conversation() == late.conversation(), what="the same frames")
    cursors = [cursor for cursor, _ in early.conversation()]
    assert len(set(cursors)) == len(cursors)


def test_permission_follows_its_call(stage: SessionHarness) -> None:
    reader = Reader(stage.spawn())
    stage.send("[ask echo x] [say done]")
    payload: Any = reader.wait_for("tool_approval_request").payload
    assert (payload.tool_name, payload.tool_input) == ("shell", {"command": "echo x"})
    assert stage.lisa("approve", "--id", payload.tool_use_id).code == 0
    reader.wait_for("result")
    decided: Any = reader.wait_for("system", "approval_decided").payload
    assert (decided.tool_use_id, decided.decided_by, decided.decision) == (payload.tool_use_id, "cli", "approve")
    kinds = [kind for kind in reader.kinds() if kind not in ("session_status", "usage_delta")]
    assert kinds == ["user", "tool_use", "tool_approval_request", "system", "tool_result", "assistant", "result"]
    assert reader.wait_for("tool_use").payload.id == payload.tool_use_id  # type: ignore[union-attr]


def test_questions_and_dialogs_have_own_frames(stage: SessionHarness) -> None:
    reader = Reader(stage.spawn())
    stage.send(
        "[question Which? | red | blue // Fruits?+ | fig] [choose Sure? | yes | no] [dialog update New? | Go | Skip]"
    )
    asked: Any = reader.wait_for("ask_user_question").payload
    assert msgspec.json.decode(msgspec.json.encode(asked))["questions"][1] == {
        "question": "Fruits?",
        "header": "Fruits",
        "options": [{"label": "fig", "description": ""}],
        "multiSelect": True,
    }
    assert stage.lisa("answer", "--choice", "2", "--choice", "fig", "--id", asked.question_id).code == 0
    plain: Any = reader.wait_for("ask_user_question", "Sure?").payload
    assert [option.label for option in plain.questions[0].options] == ["yes", "no"]
    assert stage.lisa("answer", "--choice", "no").code == 0
    other: Any = reader.wait_for("dialog").payload
    assert (other.kind, [choice.text for choice in other.choices]) == ("update", ["Go", "Skip"])
    stage.lisa("send", "--answer", "2")
    reader.wait_for("system", "dialog_closed")
    reader.wait_for("system", "answered: blue; fig (by cli)")
    assert reader.kinds().count("ask_user_question") == 2


def test_interrupt_and_a_key_in_the_pane_are_reported(stage: SessionHarness) -> None:
    reader = Reader(stage.spawn())
    stage.send("[ask echo x] [wait 600]")
    reader.wait_for("tool_approval_request")
    stage.lisa("send", "--keys", "1")
    decided: Any = reader.wait_for("system", "approval_decided").payload
    assert (decided.decided_by, decided.message) == ("pane", "closed in the pane")
    reader.wait_for("tool_result")
    wait_until(lambda: stage.status().session_state == "in_progress")
    assert stage.lisa("interrupt").json["interrupted"]
    reader.wait_for("system", "interrupted")


def test_end_is_the_last_frame_once(stage: SessionHarness) -> None:
    stage.spawn("[say done]", mode="exec")
    reader = Reader(stage)
    reader.join(30)
    assert not reader.is_alive() and reader.kinds().count("session_end") == 1
    end: Any = reader.frames[-1].payload
    assert (end.reason, end.exit_code) == ("completed", 0)
    assert reader.wait_for("assistant", "done")


def test_command_session_yields_its_output(stage: SessionHarness) -> None:
    gate = stage.machine.folder / "gate"
    stage.run(f"sh -c 'echo one; while [ ! -e {gate} ]; do sleep 0.05; done; echo two'")
    reader = Reader(stage)
    first: Any = reader.wait_for("assistant", "one")
    assert first.payload.source == "pane"
    gate.touch()
    reader.join(30)
    text = "\n".join(frame.payload.content for frame in reader.frames if frame.type == "assistant")  # type: ignore[union-attr, misc]
    assert text.split() == ["one", "two"]
    rest = "\n".join(str(frame.payload) for frame in read_history(stage, first.cursor))
    assert "two" in rest and "one" not in rest


def test_unknown_transcript_restarts_with_a_reason(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    with SessionFeed(stage.ctx, stage.ref, "t.00000000.5.0") as feed:
        assert [frame.type for frame in feed.history()][:1] == ["user"]
        assert feed.reset == "transcript_gone"


def test_pane_cursor_of_an_agent_restarts_with_a_reason(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    with SessionFeed(stage.ctx, stage.ref, "p.5") as feed:
        assert [frame.type for frame in feed.history()][:1] == ["user"]
        assert feed.reset == "other_source"


def test_shortened_transcript_restarts_with_a_reason(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    cursor = read_history(stage)[-1].cursor
    path = Path(stage.agent_state()["transcript"])
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n")
    with SessionFeed(stage.ctx, stage.ref, cursor) as feed:
        list(feed.history())
        assert feed.reset == "transcript_rewritten"


def test_frames_hold_no_control_characters(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    path = Path(stage.agent_state()["transcript"])
    record = {"type": "assistant", "at": 1, "text": "a\x1b[31mred\x1b[0m\x07\tb\nc\x9b"}
    with path.open("ab") as out:
        out.write(msgspec.json.encode(record) + b"\n")
    texts = [frame.payload.content for frame in read_history(stage) if frame.type == "assistant"]  # type: ignore[union-attr]
    assert texts[-1] == "ared\tb\nc"


def fill_transcript(path: Path, count: int, size: int = 1000) -> None:
    with path.open("ab") as out:
        for number in range(count):
            record = {"type": "assistant", "at": 1, "text": f"line {number} " + "x" * size}
            out.write(msgspec.json.encode(record) + b"\n")


def test_history_reads_back_to_a_number_of_bytes(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    path = Path(stage.agent_state()["transcript"])
    fill_transcript(path, 40)
    whole = read_history(stage)
    for size in (1, 5_000, 20_000, path.stat().st_size, 1 << 30):
        with SessionFeed(stage.ctx, stage.ref) as feed:
            newest = list(feed.history(newest_bytes=size))
            assert newest == whole[len(whole) - len(newest) :], size
            assert bool(feed.omitted_bytes) == (len(newest) < len(whole)), size


def test_pages_before_a_cursor_join_to_the_whole(stage: SessionHarness) -> None:
    stage.spawn().send("[say one]")
    stage.wait_for_text("● one")
    fill_transcript(Path(stage.agent_state()["transcript"]), 20)
    stage.send("/clear")
    stage.send("[say two] [run true] [say three]")
    stage.wait_for_text("● three")
    stage.wait_for_state("idle")
    whole, pages = read_history(stage), list[LiveFrame]()
    before = ""
    while True:
        with SessionFeed(stage.ctx, stage.ref) as feed:
            page = list(live_attach.read_history(feed, lambda frame: True, before=before, limit=5))
        pages[:0] = page
        if len(page) < 5:
            break
        before = page[0].cursor
    assert pages == whole
    assert [frame.type for frame in whole].count("user") == 2


def test_start_cursor_returns_everything(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    assert read_history(stage, "start") == read_history(stage)
