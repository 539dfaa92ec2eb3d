"""The archive of a killed session: the same frames and cursors as in its lifetime."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from lisa_py.contract.live import HistoryPayload, LiveFrame
from lisa_py.core.lifecycle import kill
from lisa_py.core.lifecycle.kill import EndRequest
from lisa_py.core.live import attach as live_attach
from lisa_py.core.live import ending
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.output import pane_text
from lisa_py.host.run import ProgramResult
from lisa_py.host.tmux import Tmux
from lisa_py.store import archives, live_records, session_folder
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import SessionRef
from tests.core.live.test_feed import Reader, fill_transcript
from tests.lisa_host import LisaHost, kill_process
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def read_history(stage: SessionHarness, ref: SessionRef, since: str = "") -> list[LiveFrame]:
    with open_feed(stage.ctx, ref, since) as feed:
        frames = list(feed.history())
        assert not feed.reset, feed.reset
        return frames


def read_archive(stage: SessionHarness) -> tuple[SessionRef, SessionRecord]:
    found = list(archives.list_archives(stage.ref.project))
    assert len(found) == 1, found
    return found[0]


def talk(stage: SessionHarness) -> list[LiveFrame]:
    """Hold two conversations and return their frames."""
    stage.spawn().send("[say one] [run true] [say two]")
    stage.wait_for_text("● two")
    stage.send("/clear")
    stage.send("[say three]")
    stage.wait_for_text("● three")
    stage.wait_for_state("idle")
    return read_history(stage, stage.ref)


def test_cursors_of_its_lifetime_are_valid(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BLOCK_BYTES", 300)
    whole = talk(stage)
    killed = kill.kill_session(stage.ctx, stage.ref)
    ref, record = read_archive(stage)
    assert killed.archive == record.id == ref.archive == whole[0].session_id
    assert len(archives.read_index(ref).blocks) > 2 and len(archives.read_index(ref).sources) == 2
    assert read_history(stage, ref) == read_history(stage, ref, "start") == whole
    for count, frame in enumerate(whole, 1):
        assert read_history(stage, ref, frame.cursor) == whole[count:], frame


def test_archives_of_sessions_killed_together(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pane_text, "CHAIN_PANES", 2)
    stages = [SessionHarness(machine, f"lisa-{number}") for number in range(5)]
    for stage in stages[:4]:
        stage.run(
            f"trap 'echo last {stage.name}; exit' TERM; seq 90; echo first {stage.name}; while :; do sleep 0.01; done"
        )
        stage.wait_for_text(f"first {stage.name}")
    stages[4].spawn("[say done] go").wait_for_state("idle")
    calls = count_calls(monkeypatch)
    result = kill.kill_all_sessions(stages[0].ctx, stages[0].ctx.project())
    assert (result.killed, result.archive_errors) == (5, UNSET)
    for stage in stages[:4]:
        ref = archives.find_newest(stage.ctx.settings, stage.name)
        assert ref is not None
        contents = [getattr(frame.payload, "content", "") for frame in read_history(stage, ref)]
        lines = "\n".join(contents).split("\n")
        assert (lines[0], lines[89:91], lines[-1]) == ("1", ["90", f"first {stage.name}"], f"last {stage.name}")
    captures = [words for words in calls if "capture-pane" in words]
    assert len(captures) == 4 and len(calls) <= 10, calls


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return a list to which every call of tmux is added."""
    calls: list[tuple[str, ...]] = []

    def record(method: Callable[..., ProgramResult]) -> Callable[..., ProgramResult]:
        def called(server: Tmux, *words: str, **options: Any) -> ProgramResult:
            calls.append(words)
            return method(server, *words, **options)

        return called

    for method in ("call", "read"):
        monkeypatch.setattr(Tmux, method, record(getattr(Tmux, method)))
    return calls


def test_history_of_an_archive_is_read_in_pages(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BLOCK_BYTES", 300)
    whole = talk(stage)
    kill.kill_session(stage.ctx, stage.ref)
    ref, _ = read_archive(stage)
    with open_feed(stage.ctx, ref) as feed:
        newest = list(feed.history(newest_bytes=400))
        assert whole[-len(newest) :] == newest and feed.omitted_bytes > 0
        older = list(feed.history(newest_bytes=1 << 20, before=newest[0].cursor))
        assert older + newest == whole and not feed.omitted_bytes
        until = list(feed.history(newest_bytes=1 << 20, until=newest[0].cursor))
        assert until == whole[: len(older) + 1]
    with open_feed(stage.ctx, ref) as feed:
        assert list(live_attach.read_history(feed, lambda frame: True, limit=3)) == whole[-3:]


def test_attach_to_an_archive_ends_with_its_end(stage: SessionHarness) -> None:
    whole = talk(stage)
    kill.kill_session(stage.ctx, stage.ref)
    frames: list[LiveFrame] = []
    summary = live_attach.attach(stage.ctx, read_archive(stage)[0], frames.append)
    assert frames[:-1] == whole and frames[-1].type == "session_end" and summary.ended


def test_record_of_a_killed_session_has_its_end_and_sums(stage: SessionHarness) -> None:
    talk(stage)
    kill.end_session(stage.ctx, stage.ref, "max_duration_exceeded", "ttl_seconds 60")
    _, record = read_archive(stage)
    assert (record.end_reason, record.end_detail) == ("max_duration_exceeded", "ttl_seconds 60")
    assert record.usage is not None and record.usage.num_turns == 2
    assert record.created_at <= record.started_at <= record.ended_at


@pytest.mark.parametrize("code, reason", [(0, "completed"), (3, "failed")])
def test_kill_keeps_the_end_that_a_session_had(stage: SessionHarness, code: int, reason: str) -> None:
    stage.run(f"sh -c 'echo printed; exit {code}'")
    stage.wait_until_dead()
    kill.kill_session(stage.ctx, stage.ref)
    ref, record = read_archive(stage)
    assert (record.end_reason, record.exit_code) == (reason, code)
    frames = read_history(stage, ref)
    assert [frame.payload.content for frame in frames if frame.type == "assistant"] == ["printed"]  # type: ignore[union-attr]


def test_output_of_a_command_is_archived(stage: SessionHarness) -> None:
    stage.run("sh -c 'echo one; exec sleep 600'")
    stage.wait_for_text("one")
    before = read_history(stage, stage.ref)
    kill.kill_session(stage.ctx, stage.ref)
    ref, record = read_archive(stage)
    first, *rest = read_history(stage, ref)
    assert len(before) == 1 and (first.cursor, first.payload) == (before[0].cursor, before[0].payload)
    assert all("one" not in str(frame.payload) for frame in rest)
    assert read_history(stage, ref, first.cursor) == rest
    assert record.end_reason == "user_requested"


def test_the_last_screen_is_archived_after_cleanup(stage: SessionHarness) -> None:
    stage.run("sh -c 'echo kept'").wait_until_dead()
    assert stage.machine.lisa("cleanup").code == 0
    shown = read_history(stage, stage.ref)
    assert [frame.payload.content for frame in shown] == ["kept"]  # type: ignore[union-attr]
    kill.kill_session(stage.ctx, stage.ref)
    ref, record = read_archive(stage)
    assert [frame.payload for frame in read_history(stage, ref)] == [frame.payload for frame in shown]
    assert (record.end_reason, record.exit_code) == ("completed", 0)


def test_missing_transcript_falls_back_to_the_pane(stage: SessionHarness) -> None:
    stage.spawn("[say answer]", mode="exec").wait_until_dead()
    for path in stage.home.rglob("*.jsonl"):
        path.unlink()
    frames = read_history(stage, stage.ref)
    assert [frame.payload.source for frame in frames] == ["pane"]  # type: ignore[union-attr]
    assert "answer" in frames[0].payload.content  # type: ignore[operator, union-attr]


def test_a_reader_gets_the_reason_of_a_kill(stage: SessionHarness) -> None:
    stage.run("sh -c 'echo one; exec sleep 600'")
    reader = Reader(stage)
    reader.wait_for("assistant", "one")
    kill.end_session(stage.ctx, stage.ref, "max_duration_exceeded")
    reader.join(30)
    assert reader.frames[-1].payload.reason == "max_duration_exceeded"  # type: ignore[union-attr]


def test_sigkill_of_a_kill_loses_and_repeats_nothing(stage: SessionHarness) -> None:
    whole = talk(stage)
    folder = Path(stage.ref.project.folder, "archive")
    running = stage.machine.start("session", "kill", stage.name)
    wait_until(lambda: folder.exists() and list(folder.iterdir()), what="an archive is begun")
    running.kill()
    running.communicate()
    stage.lisa("kill")
    assert read_history(stage, read_archive(stage)[0]) == whole
    assert not session_folder.has_more_than_events(stage.ref)


def test_a_new_session_of_the_name_has_its_own_record(stage: SessionHarness) -> None:
    stage.run("sh -c 'echo first'")
    stage.wait_until_dead()
    former = live_records.read_record(stage.ref)
    assert stage.lisa("spawn", "--command", "sleep 600", "--replace").code == 0
    current = live_records.read_record(stage.ref)
    assert former is not None and current is not None and former.id != current.id
    assert stage.ctx.record_ref(stage.name, str(stage.machine.project)) == stage.ref
    assert stage.ctx.record_ref(former.id).archive == former.id
    assert stage.ctx.record_ref(current.id) == stage.ref


def test_spawn_archives_a_session_whose_server_has_ended(stage: SessionHarness) -> None:
    stage.run("sh -c 'echo first; exec sleep 600'")
    former = live_records.read_record(stage.ref)
    stage.ctx.tmux(stage.ref.project).kill_server()
    assert stage.lisa("spawn", "--command", "sleep 600").code == 0
    _, record = read_archive(stage)
    assert former is not None and (record.id, record.end_reason) == (former.id, "heartbeat_stale")


def test_pane_read_before_the_end_of_the_server_is_no_reason(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    server, meta = stage.ctx.server(stage.ref), stage.ctx.read_meta(stage.ref)
    pane = server.find_pane(stage.name)
    assert pane is not None and meta is not None
    kill_process(pane.server_pid)
    stage.wait_until_ended()
    found = ending.find_ending(stage.ctx, stage.ref, meta, pane)
    assert found is not None and (found.reason, found.detail) == ("heartbeat_stale", "the tmux server has ended")


def test_disabled_archive_keeps_nothing(stage: SessionHarness) -> None:
    talk(stage)
    kill.kill_session(stage.ctx, stage.ref, request=EndRequest(archive=False))
    assert list(archives.list_archives(stage.ref.project)) == []


def test_kill_succeeds_where_no_archive_can_be_written(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    Path(stage.ref.project.folder, "archive").write_text("in the way")
    killed = stage.lisa("kill")
    assert killed.code == 0 and killed.json["ok"] and "archive" not in killed.json
    assert killed.json["archiveErrors"][0].startswith(f"{stage.name}: ")
    assert "no archive was kept" in killed.err
    assert not session_folder.has_more_than_events(stage.ref)


def test_kill_after_a_killed_kill_repeats_nothing(stage: SessionHarness) -> None:
    whole = talk(stage)
    record = live_records.read_record(stage.ref)
    assert record is not None
    partial = Path(stage.ref.project.folder, "archive", f".{record.id}.partial")
    partial.mkdir(parents=True)
    (partial / archives.FRAMES).write_bytes(b"half of a block")
    saved = {path.name: path.read_bytes() for path in Path(stage.ref.folder).iterdir() if path.is_file()}
    kill.kill_session(stage.ctx, stage.ref)
    ref, record = read_archive(stage)
    assert not partial.exists() and read_history(stage, ref) == whole
    os.makedirs(stage.ref.folder, exist_ok=True)  # as if the kill had ended before it removed the folder
    for name, content in saved.items():
        Path(stage.ref.folder, name).write_bytes(content)
    again = kill.kill_session(stage.ctx, stage.ref)
    assert again.archive == record.id and not session_folder.has_more_than_events(stage.ref)
    assert read_archive(stage) == (ref, record) and read_history(stage, ref) == whole


def test_a_cursor_of_another_conversation_restarts(stage: SessionHarness) -> None:
    whole = talk(stage)
    kill.kill_session(stage.ctx, stage.ref)
    ref, _ = read_archive(stage)
    for cursor, reason in (("t.00000000.5.0", "transcript_gone"), ("p.7", "other_source")):
        with open_feed(stage.ctx, ref, cursor) as feed:
            assert list(feed.history()) == whole and feed.reset == reason


def test_frames_name_the_session_by_its_id(stage: SessionHarness) -> None:
    stage.spawn("[say hello]")
    stage.wait_for_text("● hello")
    record = live_records.read_record(stage.ref)
    with SessionFeed(stage.ctx, stage.ref) as feed:
        assert record is not None and {frame.session_id for frame in feed.history()} == {record.id}


def test_no_file_of_an_archive_holds_a_secret(stage: SessionHarness) -> None:
    stage.machine.lisa("secret", "set", "token", stdin="planted-4711-value")
    command = "sh -c 'echo got $TOKEN; exec sleep 600'"
    assert stage.lisa("spawn", "--command", command, "--env", "TOKEN=secret://token").code == 0
    stage.wait_for_text("planted-4711-value")
    kill.kill_session(stage.ctx, stage.ref)
    ref, record = read_archive(stage)
    assert record.settings.environment == {"TOKEN": "secret://token"}
    assert "got" in str(read_history(stage, ref)[0].payload)
    for path in Path(ref.folder).iterdir():
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert b"planted-4711" not in raw, path
        assert path.stat().st_mode & 0o077 == 0


def test_output_of_an_agent_without_a_transcript_is_kept(stage: SessionHarness) -> None:
    gate = stage.machine.folder / "gate"
    script = f"echo cannot start; while [ ! -e {gate} ]; do sleep 0.05; done; exit 3"
    stage.machine.add_program("codex", f"#!/bin/sh\ncase $* in *help*|*version*) exit 1 ;; esac\n{script}\n")
    assert stage.lisa("spawn", "--agent", "codex").code == 0
    gate.touch()
    wait_until(lambda: stage.status().session_state in ("crashed", "failed"), what="its end")
    assert "cannot start" in str(stage.lisa("history").json["frames"])
    assert stage.lisa("kill").code == 0
    assert "cannot start" in str(stage.lisa("history").json["frames"])


def test_messages_are_the_newest_of_four_mebibytes(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_attach, "HISTORY_BYTES", 9_000)
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    short = live_attach.read_messages(stage.ctx, stage.ref)
    assert not short.truncated and [frame.type for frame in short.messages] == ["user", "assistant", "result"]
    fill_transcript(Path(stage.agent_state()["transcript"]), 40)
    whole = [frame for frame in read_history(stage, stage.ref) if live_attach.is_message(frame)]
    newest = live_attach.read_messages(stage.ctx, stage.ref)
    count = len(newest.messages)
    assert newest.truncated and 4 < count < 9 and list(newest.messages) == whole[-count:]
    assert sum(len(msgspec.json.encode(frame)) for frame in newest.messages) <= 9_000
    older = live_attach.read_messages(stage.ctx, stage.ref, before=newest.messages[0].cursor)
    assert list(older.messages) == whole[-count - len(older.messages) : -count] and older.messages
    frame = live_attach.build_history(whole, "id")
    assert frame.payload.truncated and frame.payload.total == len(whole) and frame.payload.messages == newest.messages
    assert live_attach.build_history(short.messages, "id").payload == HistoryPayload(messages=short.messages)
    stage.lisa("kill")
    assert live_attach.read_messages(stage.ctx, read_archive(stage)[0]).truncated
