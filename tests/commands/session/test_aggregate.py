"""session aggregate."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def aggregate(machine: LisaHost, *words: str, code: int = 0, **more: Any) -> dict[str, Any]:
    form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
    answer = machine.lisa("session", "aggregate", *words, *form, **more)
    assert answer.code == code, answer
    return answer.json


@contextlib.contextmanager
def two(machine: LisaHost) -> Iterator[tuple[FakePane, FakePane]]:
    with FakePane(machine, "lisa-b") as second, FakePane(machine, "lisa-a") as first:
        first.write("a prints hello\n")
        second.write("b prints hello\n")
        yield first, second


def test_text_has_all_running_sessions(machine: LisaHost) -> None:
    with two(machine):
        answer = aggregate(machine)
        assert (answer["sessions"], answer["sessionCount"]) == (["lisa-a", "lisa-b"], 2)
        first, second = answer["combinedPack"].split("\n---\n")
        assert first.startswith("session=lisa-a\nstate=") and first.endswith("a prints hello")
        assert second.startswith("session=lisa-b\nstate=") and second.endswith("b prints hello")
        assert [item["pack"] for item in answer["items"]] == [first, second]
        assert [item["source"] for item in answer["items"]] == ["pane", "pane"]
        small = aggregate(machine, "--json-min")
        assert "sessions" not in small and "reason" not in small["items"][0]
        assert machine.lisa("session", "aggregate").out == answer["combinedPack"] + "\n"


def test_long_output_does_not_displace_other_sessions(machine: LisaHost) -> None:
    with two(machine) as (first, _):
        first.write("".join(f"noise {number}\n" for number in range(200)))
        answer = aggregate(machine, "--token-budget", "150")
        assert len(answer["combinedPack"].encode()) <= 600 and answer["truncated"]
        assert "noise 199\n---\nsession=lisa-b" in answer["combinedPack"]
        assert answer["combinedPack"].endswith("b prints hello")


def test_no_activity_means_no_change(machine: LisaHost) -> None:
    with two(machine) as (_, second):
        first = aggregate(machine, "--delta-json")
        assert [item["session"] for item in first["delta"]["added"]] == ["lisa-a", "lisa-b"]
        for words in (["--delta-json"], ["--delta-json", "--json-min"], ["--delta-json", "--token-budget", "700"]):
            assert aggregate(machine, *words)["delta"] == {"added": [], "removed": [], "changed": [], "count": 0}
        second.write("more\n")
        third = aggregate(machine, "--delta-json")["delta"]
        assert ([item["session"] for item in third["changed"]], third["count"]) == (["lisa-b"], 1)
        machine.lisa("session", "kill", "--session", "lisa-a")
        assert [item["session"] for item in aggregate(machine, "--delta-json")["delta"]["removed"]] == ["lisa-a"]


def test_named_sessions_have_their_own_delta(machine: LisaHost) -> None:
    with two(machine):
        every = aggregate(machine, "--delta-json")["cursorFile"]
        one = aggregate(machine, "--delta-json", "--sessions", "lisa-a")
        assert one["cursorFile"] != every and one["delta"]["count"] == 1
        assert aggregate(machine, "--delta-json")["delta"]["count"] == 0
        own = str(machine.folder / "cursor")
        assert aggregate(machine, "--delta-json", "--cursor-file", own)["cursorFile"] == own


def test_missing_sessions_are_counted(machine: LisaHost) -> None:
    with two(machine):
        answer = aggregate(machine, "--sessions", "lisa-missing, lisa-a,lisa-a", code=1)
        assert (answer["errorCode"], answer["notFoundCount"]) == ("aggregate_partial_not_found", 1)
        assert [item["sessionState"] == "not_found" for item in answer["items"]] == [False, True]


def test_dedupe_keeps_every_state(machine: LisaHost) -> None:
    with two(machine) as (first, second):
        first.write("shared\n")
        second.write("shared\n")
        answer = aggregate(machine, "--dedupe")
        assert answer["combinedPack"].count("shared") == 1 and answer["dedupeRemoved"] >= 1
        assert answer["combinedPack"].count("\nstatus=active") == 2


def test_redaction_reaches_items_text_and_cursor(machine: LisaHost) -> None:
    with two(machine) as (first, _):
        first.write("DB_PASSWORD=hunter2x at /opt/secret\n")
        own = machine.folder / "cursor"
        answer = aggregate(machine, "--redact", "all", "--delta-json", "--cursor-file", str(own))
        for text in (json.dumps(answer), own.read_text()):
            assert "hunter2x" not in text and "opt/secret" not in text and str(machine.folder) not in text


def test_ambiguous_name_is_resolved_in_this_project(machine: LisaHost) -> None:
    for number in (1, 2):
        root = machine.home / f"p{number}"
        root.mkdir()
        with FakePane(machine, f"lisa-x{number}") as pane:
            other = machine.context(cwd=str(root)).ref("lisa-far", str(root))
            Path(other.folder).mkdir(parents=True)
            meta = json.loads(Path(pane.ref.meta).read_text())
            Path(other.meta).write_text(json.dumps({**meta, "session": "lisa-far", "projectRoot": str(root)}))
    answer = aggregate(machine, "--sessions", "lisa-far", code=1)
    assert [warning["errorCode"] for warning in answer["warnings"]] == ["ambiguous_project_root"]
    assert answer["items"][0]["warning"]["fallback"] == str(machine.project)


def test_a_killed_session_is_read_from_its_archive(machine: LisaHost) -> None:
    stage = SessionHarness(machine, "lisa-done").spawn("[usage 300 20] [say the last word]")
    stage.wait_for_text("● the last word")
    stage.wait_for_state("idle")
    identity = stage.lisa("kill").json["archive"]
    with FakePane(machine, "lisa-a"):
        answer = aggregate(machine, "--sessions", "lisa-a,lisa-done")
        item = answer["items"][1]
        assert (item["session"], item["archive"], item["source"]) == ("lisa-done", identity, "archive")
        assert item["pack"].endswith("assistant:\n  the last word") and "notFoundCount" not in answer
        assert [each["session"] for each in aggregate(machine)["items"]] == ["lisa-a"]
    assert aggregate(machine, "--sessions", identity)["sessions"] == ["lisa-done"]
    gone = aggregate(machine, "--sessions", "lisa-done,lisa-none", code=1)
    assert (gone["notFoundCount"], gone["errorCode"]) == (1, "aggregate_partial_not_found")
    used = machine.lisa("session", "budget-observe", "--session", "lisa-done", "--json").json["observed"]
    assert (used["tokens"] >= 320, used["steps"], used["seconds"] >= 0) == (True, 1, True)


@pytest.mark.parametrize("held", ["{", "17", '{"kind":"pane","offset":3}'])
def test_invalid_cursor_is_refused_and_can_be_reset(machine: LisaHost, held: str) -> None:
    path = machine.folder / "cursor"
    path.write_text(held)
    words = ("--delta-json", "--cursor-file", str(path))
    with two(machine):
        assert aggregate(machine, *words, code=1)["errorCode"] == "invalid_cursor_file"
        assert path.read_text() == held
        assert aggregate(machine, *words, "--cursor-reset")["cursorRecovered"] is True
        path.write_text("\n")
        assert aggregate(machine, *words)["delta"]["count"] == 2


def test_invalid_calls_are_refused(machine: LisaHost) -> None:
    assert aggregate(machine, code=1)["errorCode"] == "no_sessions"
    assert aggregate(machine, "--cursor-file", "x", code=1)["errorCode"] == "cursor_file_requires_delta_json"
    assert aggregate(machine, "--sessions", "../x", code=1)["errorCode"] == "invalid_session_name"
    refused = machine.lisa("session", "aggregate", "--delta-json", env={"PATH": str(machine.bin)})
    assert (refused.code, refused.json["errorCode"]) == (1, "session_list_failed")
