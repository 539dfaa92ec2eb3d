"""session handoff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.handoff import compression
from lisa_py.store import events
from lisa_py.store.lanes import Lane, registry
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost


def handoff(machine: LisaHost, *words: str, code: int = 0) -> dict[str, Any]:
    form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
    answer = machine.lisa("session", "handoff", "--session", "lisa-talk", *words, *form)
    assert answer.code == code, answer
    return answer.json


def happen(pane: FakePane, *reasons: str) -> None:
    for reason in reasons:
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", state="in_progress", reason=reason)


def reasons(answer: dict[str, Any]) -> list[str]:
    return [item["reason"] for item in answer["recent"]]


def test_v1_is_flat_and_has_the_next_action(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        answer = handoff(machine)
        assert answer["schema"] == "v1"
        assert answer["nextAction"] == "session monitor"
        state, reason = answer["sessionState"], answer["reason"]
        assert answer["summary"] == f"state={state} reason={reason} next=session monitor"
        assert reasons(answer) == ["r1"]
        assert not {"state", "risks", "openQuestions", "deltaFrom", "errorCode"} & set(answer)


@pytest.mark.parametrize(("schema", "ids", "tree"), [("v2", False, False), ("3", True, False), ("V4", True, True)])
def test_later_schemas_add_objects_ids_and_command_tree(machine: LisaHost, schema: str, ids: bool, tree: bool) -> None:
    with FakePane(machine):
        answer = handoff(machine, "--schema", schema)
        action = answer["nextAction"]
        assert action["command"].startswith("lisa session monitor --session 'lisa-talk' --project-root ")
        assert ("commandAst" in action) is tree
        for item in (action, answer["state"], *answer["risks"], *answer["openQuestions"]):
            assert ("id" in item) is ids
        assert [risk["code"] for risk in answer["risks"]] == ["no_recent_events"]
        assert [question["code"] for question in answer["openQuestions"]] == ["context_gap"]
        if tree:
            assert action["commandAst"]["argv"][:3] == ["lisa", "session", "monitor"]


def test_ids_depend_on_events_not_on_output(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        first = handoff(machine, "--schema", "v3")
        pane.write("a lot of output\n" * 30)
        second = handoff(machine, "--schema", "v3")
        assert second["nextAction"]["id"] == first["nextAction"]["id"]
        assert second["state"]["id"] == first["state"]["id"]
        happen(pane, "r2")
        assert handoff(machine, "--schema", "v3")["nextAction"]["id"] != first["nextAction"]["id"]


def test_reading_adds_no_events(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1", "r2")
        first = handoff(machine, "--delta-from", "0")
        assert (first["deltaCount"], first["nextDeltaOffset"]) == (2, 2)
        for _ in range(4):
            answer = handoff(machine, "--delta-from", "2")
            assert (answer["deltaCount"], answer["recent"], answer["nextDeltaOffset"]) == (0, [], 2)
            assert answer["sessionState"] == first["sessionState"]


def test_delta_pages_contain_every_event(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, *(f"r{number}" for number in range(1, 13)))
        seen: list[str] = []
        offset = 0
        while True:
            answer = handoff(machine, "--events", "5", "--delta-from", str(offset), "--json-min")
            seen += reasons(answer)
            offset = answer["nextDeltaOffset"]
            if not answer.get("deltaRemaining"):
                break
        assert seen == [f"r{number}" for number in range(1, 13)]


def test_flag_overrides_cursor_file(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine) as pane:
        happen(pane, "r1")
        assert reasons(handoff(machine, "--cursor-file", cursor)) == ["r1"]
        happen(pane, "r2")
        assert reasons(handoff(machine, "--cursor-file", cursor, "--delta-from", "0")) == ["r1", "r2"]
        answer = handoff(machine, "--cursor-file", cursor)
        assert (answer["deltaFrom"], answer["recent"], answer["cursorFile"]) == (2, [], cursor)


def test_small_form_has_events_only_in_deltas(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        assert not {"recent", "projectRoot", "droppedRecent"} & set(handoff(machine, "--json-min"))
        assert reasons(handoff(machine, "--json-min", "--delta-from", "0")) == ["r1"]


def test_compressed_handoff_is_complete_zstandard(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        answer = handoff(machine, "--compress", "zstd", "--schema", "v3")
        assert (answer["compression"], answer["encoding"], "recent" in answer) == ("zstd", "base64-zstd", False)
        raw = compression.unpack(answer["compressedPayload"], answer["encoding"], answer["checksum"])
        inner = json.loads(raw)
        assert len(raw) == answer["uncompressedBytes"]
        assert [item["reason"] for item in inner["recent"]] == ["r1"]
        assert {"session", "status", "sessionState", "reason", "nextAction", "nextOffset", "summary", "risks"} <= set(
            inner
        )


def test_missing_session_suggests_a_spawn(machine: LisaHost) -> None:
    answer = handoff(machine, "--schema", "v4", "--json-min", code=1)
    assert answer["errorCode"] == "session_not_found"
    assert answer["nextAction"]["name"] == "session spawn"
    assert answer["nextOffset"] == 0
    text = machine.lisa("session", "handoff", "--session", "lisa-talk")
    assert (text.code, text.out) == (1, "state=not_found reason=session_not_found next=session spawn\n")


def test_text_lists_the_events(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        lines = machine.lisa("session", "handoff", "--session", "lisa-talk", "--delta-from", "0").out.split("\n")
        assert lines[1:] == [
            "recent:",
            "- 1970-01-01T00:00:00Z transition in_progress r1",
            "delta_from=0 next_delta_offset=1",
            "",
        ]


def test_handoff_has_lane_and_objective(machine: LisaHost) -> None:
    ctx = machine.context()
    with registry(ctx.project()).change(ctx.settings, 0.0) as opened:
        opened.content.lanes["ok"] = Lane(name="ok", goal="nested", contract="x,handoff_v2_required", budget=9)
    with FakePane(machine, lane="ok", objective_id="o1", objective_goal="ship it"):
        answer = handoff(machine, "--schema", "v2")
        assert answer["lane"] == {"name": "ok", "goal": "nested", "contract": "x,handoff_v2_required", "budget": 9}
        assert answer["objective"] == {"id": "o1", "goal": "ship it", "lane": "ok"}
        refused = handoff(machine, code=1)
        assert refused["errorCode"] == "handoff_schema_v2_required"


def test_removed_lane_keeps_its_name(machine: LisaHost) -> None:
    with FakePane(machine, lane="gone"):
        assert handoff(machine)["lane"] == {"name": "gone"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--schema", "v9"], "invalid_schema"),
        (["--compress", "gzip"], "invalid_compress_mode"),
        (["--events", "0"], "invalid_events"),
        (["--delta-from", "-1"], "invalid_delta_from"),
        (["--delta-from", "x"], "invalid_delta_from"),
        (["--agent", "bogus"], "invalid_agent_hint"),
        (["--mode", "bogus"], "invalid_mode_hint"),
    ],
)
def test_invalid_flags_are_refused(machine: LisaHost, words: list[str], code: str) -> None:
    assert handoff(machine, *words, code=1)["errorCode"] == code


def test_corrupt_cursor_is_refused_and_can_be_reset(machine: LisaHost) -> None:
    cursor = Path(machine.folder / "cursor")
    cursor.write_text("{")
    with FakePane(machine):
        assert handoff(machine, "--cursor-file", str(cursor), code=1)["errorCode"] == "invalid_cursor_file"
        assert handoff(machine, "--cursor-file", str(cursor), "--cursor-reset")["cursorRecovered"] is True


def test_missing_tmux_is_degraded_not_missing_session(machine: LisaHost) -> None:
    answer = machine.lisa("session", "handoff", "--session", "lisa-talk", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["sessionState"], answer.json["errorCode"]) == (1, "degraded", "tmux_missing")
