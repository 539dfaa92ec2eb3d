"""session context-cache."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.handoff import context_cache, session_memory
from lisa_py.host import files
from lisa_py.host.clock import Clock
from tests.lisa_host import LisaHost
from tests.polling import wait_until

NAME = "lisa-cache-1"
NOON = 1_800_000_000.0


def _cache(machine: LisaHost, *words: str, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa("session", "context-cache", *words, "--json", stdin=stdin)
    assert answer.code == 0, answer
    return answer.json


def _file(machine: LisaHost) -> Path:
    return next((machine.folder / "state").rglob("context-cache.json"))


def _show(machine: LisaHost, text: str) -> None:
    ctx = machine.context()
    script = f"echo {text}; exec sleep 60"
    tmux = ctx.tmux(ctx.project())
    tmux.new_session(NAME, ["/bin/sh", "-c", script], root=str(machine.project), width=90, height=20)
    wait_until(lambda: session_memory.read_shown_lines(ctx, ctx.ref(NAME)).lines)


def test_lines_are_collected_once_per_key(machine: LisaHost) -> None:
    first = _cache(machine, "--key", "Auth", "--from", "-", stdin="one\n\ntwo\none\n")
    assert (first["action"], first["exists"], first["lineCount"]) == ("updated", True, 2)
    second = _cache(machine, "--key", "Auth", "--from", "-", stdin="two\nthree\n")
    assert second["record"]["lines"] == ["one", "two", "three"]
    read = _cache(machine, "--key", "Auth")
    assert (read["action"], read["record"]) == ("read", second["record"])
    assert machine.lisa("session", "context-cache", "--key", "auth").code == 1


def test_the_newest_lines_are_kept(machine: LisaHost) -> None:
    answer = _cache(machine, "--key", "k", "--from", "-", "--max-lines", "2", stdin="a\nb\nc\n")
    assert answer["record"]["lines"] == ["b", "c"]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ('{"lines":[" a ",5,null,""],"pack":"p\\n\\nq","summary":"p"}', ["a", "5", "null", "p", "q"]),
        ('{"combinedPack":"x","capture":"y","other":"z"}', ["x", "y"]),
        ('["a","a","b"]', ["a", "b"]),
        ('"just text"', ['"just text"']),
        ("{ not json", ["{ not json"]),
        ("", []),
        ("{}", []),
    ],
)
def test_packs_lists_and_plain_text_are_accepted(given: str, lines: list[str]) -> None:
    assert list(context_cache.parse_lines(given)) == lines


def test_refresh_adds_output_and_keeps_the_memory(machine: LisaHost) -> None:
    _show(machine, "a finding")
    machine.lisa("session", "memory", "--session", NAME, "--refresh", "--ttl-hours", "500", "--max-lines", "200")
    before = next((machine.folder / "state").rglob("memories/*.json")).read_bytes()
    answer = _cache(machine, "--session", NAME, "--refresh")
    assert (answer["key"], answer["record"]["sessions"]) == (f"session:{NAME}", [NAME])
    assert answer["record"]["lines"] == ["a finding"]
    assert next((machine.folder / "state").rglob("memories/*.json")).read_bytes() == before


def test_clear_removes_everything(machine: LisaHost) -> None:
    _cache(machine, "--key", "k", "--from", "-", stdin="a")
    cleared = _cache(machine, "--key", "k", "--clear")
    assert (cleared["exists"], cleared["existed"], "record" in cleared) == (False, True, False)
    again = _cache(machine, "--key", "k", "--clear")
    assert (again["exists"], again["existed"]) == (False, False)
    missing = machine.lisa("session", "context-cache", "--key", "k", "--json")
    assert (missing.code, missing.json["errorCode"], missing.json["exists"]) == (1, "context_cache_not_found", False)


def test_all_keys_are_listed_in_order(machine: LisaHost) -> None:
    assert _cache(machine, "--list") | {"projectRoot": ""} == {
        "count": 0,
        "items": [],
        "keys": [],
        "projectRoot": "",
        "stderrPolicy": "diagnostic",
    }
    assert machine.lisa("session", "context-cache", "--list").out == ""
    for key in ("b", "a"):
        _cache(machine, "--key", key, "--from", "-", stdin=key)
    assert _cache(machine, "--list")["keys"] == ["a", "b"]
    assert machine.lisa("session", "context-cache", "--list").out == "a\nb\n"


def test_key_expires_after_its_lifetime(machine: LisaHost) -> None:
    def at(now: float) -> Any:
        return machine.context(clock=Clock(now=lambda: now))

    project = at(NOON).project()
    context_cache.add(at(NOON), project, "k", ["a"], session="", ttl_hours=1, max_lines=9)
    assert context_cache.get(at(NOON + 3600), project, "k").record is not None
    late = at(NOON + 3601)
    assert context_cache.get(late, project, "k").record is None
    context_cache.add(late, project, "other", ["b"], session="", ttl_hours=1, max_lines=9)
    assert list(json.loads(_file(machine).read_text())["items"]) == ["other"]


def test_corrupt_cache_does_not_block_a_change(machine: LisaHost) -> None:
    _cache(machine, "--key", "k", "--from", "-", stdin="a")
    _file(machine).write_text("[")
    read = machine.lisa("session", "context-cache", "--key", "k", "--json")
    assert (read.code, read.json["errorCode"]) == (1, "context_cache_read_failed")
    answer = _cache(machine, "--key", "k", "--from", "-", stdin="b")
    assert (answer["recovered"], answer["record"]["lines"]) == (True, ["b"])


def test_forty_concurrent_writers_lose_nothing(machine: LisaHost) -> None:
    ctx = machine.context()
    failures: list[Exception] = []

    def add(number: int) -> None:
        try:
            context_cache.add(ctx, ctx.project(), "k", [f"l{number}"], session="", ttl_hours=1, max_lines=99)
        except Exception as problem:
            failures.append(problem)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    record = context_cache.get(ctx, ctx.project(), "k").record
    assert record is not None
    assert sorted(record.lines) == sorted(f"l{number}" for number in range(40))


def test_wait_for_a_held_lock_is_limited(machine: LisaHost) -> None:
    _cache(machine, "--key", "k", "--from", "-", stdin="a")
    with files.lock(str(_file(machine)) + ".lock", timeout_ms=1000):
        words = ("session", "context-cache", "--key", "k", "--clear", "--json")
        answer = machine.lisa(*words, env={"LISA_EVENT_LOCK_TIMEOUT_MS": "50"})
        assert (answer.code, answer.json["errorCode"]) == (1, "context_cache_lock_failed")
        assert _cache(machine, "--key", "k")["exists"] is True


def test_text_shows_the_lines_or_none(machine: LisaHost) -> None:
    assert machine.lisa("session", "context-cache", "--key", "k").out == "context-cache not found\n"
    _cache(machine, "--key", "k", "--from", "-", stdin="a\nb")
    assert machine.lisa("session", "context-cache", "--key", "k").out == "context-cache key=k lines=2\na\nb\n"
    cleared = machine.lisa("session", "context-cache", "--key", "k", "--clear")
    assert cleared.out == "context-cache cleared key=k\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing_required_flag"),
        (("--clear",), "missing_required_flag"),
        (("--key", "k", "--refresh"), "missing_required_flag"),
        (("--list", "--clear"), "invalid_flag_combination"),
        (("--list", "--from", "x"), "invalid_flag_combination"),
        (("--key", "k", "--from", "nowhere"), "invalid_from"),
        (("--key", "k", "--ttl-hours", "0"), "invalid_ttl_hours"),
        (("--key", "k", "--max-lines", "0"), "invalid_max_lines"),
        (("--session", "x"), "invalid_session_name"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "context-cache", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_unreadable_session_is_reported(machine: LisaHost) -> None:
    words = ("session", "context-cache", "--session", NAME, "--refresh", "--json")
    answer = machine.lisa(*words, env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "context_cache_refresh_failed")
