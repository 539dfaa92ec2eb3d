"""agents: when a usage limit ends, from the texts of claude (2.1.332, 2.1.197) and codex (0.171.0)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lisa_py import agents
from lisa_py.agents.base import Binding
from lisa_py.host.clock import find_zone
from lisa_py.terminal import limit_end


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


CODEX = (
    "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit"
    " https://chatgpt.com/settings/usage to purchase more credits or try again at "
)


@pytest.mark.parametrize(
    ("text", "said_at", "zone", "end"),
    [
        ("You've hit your session limit · resets 3pm (Europe/Berlin)", "2026-11-28T10:00", "", "2026-11-28T14:00"),
        ("You've hit your session limit · resets 3pm (Europe/Berlin)", "2026-07-28T10:00", "", "2026-07-28T13:00"),
        ("You've hit your session limit · resets 1am (Europe/Berlin)", "2026-11-28T23:30", "", "2026-11-29T00:00"),
        ("You've hit your session limit · resets 12am (UTC)", "2026-11-28T23:30", "", "2026-11-29T00:00"),
        ("You've hit your session limit · resets 12:30pm (UTC)", "2026-11-28T09:30", "", "2026-11-28T12:30"),
        ("You've hit your session limit · resets 3:45am", "2026-11-28T10:00", "America/New_York", "2026-11-29T08:45"),
        ("You've hit your session limit · resets 3pm", "2026-11-28T15:00:40", "UTC", "2026-11-28T15:00"),
        ("weekly limit · resets Oct 9 at 5pm (Europe/Berlin)", "2026-10-03T10:00", "", "2026-10-09T15:00"),
        ("weekly limit · resets Oct 9, 5pm (Europe/Berlin)", "2026-10-03T10:00", "", "2026-10-09T15:00"),
        ("Opus limit · resets Jan 2, 2027, 5:30am (Asia/Kolkata)", "2026-12-29T10:00", "", "2027-01-02T00:00"),
        ("You've hit your weekly limit · resets Jan 2, 5pm (UTC)", "2026-12-29T10:00", "", "2027-01-02T17:00"),
        ("You've hit your session limit · resets 3am (Europe/Berlin)", "2026-03-28T22:00", "", "2026-03-29T01:00"),
        ("Claude AI usage limit reached|1790000000", "2026-09-20T10:00", "", "2026-09-21T14:13:20"),
        (CODEX + "3:13 AM.", "2026-11-28T02:13", "UTC", "2026-11-28T03:13"),
        (CODEX + "3:13 AM.", "2026-11-28T00:13", "Europe/Berlin", "2026-11-28T02:13"),
        (CODEX + "Dec 1st, 2026 3:13 AM.", "2026-11-28T02:13", "UTC", "2026-12-01T03:13"),
        ("hit your usage limit. Try again in 2 days 3 hours 4 minutes.", "2026-11-28T00:00", "", "2026-11-30T03:04"),
        ("usage limit reached, try again in 90 seconds", "2026-11-28T00:00", "", "2026-11-28T00:01:30"),
        ("Fast limit reached · resets in 2h 5m", "2026-11-28T00:00", "", "2026-11-28T02:05"),
    ],
)  # fmt: skip
def test_end_of_a_limit_is_the_right_instant(text: str, said_at: str, zone: str, end: str) -> None:
    assert limit_end.find_end(text, utc(said_at), zone) == utc(end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "API Error: Request rejected (429) · The usage limit has been reached",
        "You've hit your monthly spend limit · raise it at claude.ai/settings/usage",
        "You've hit your session limit · resets soon",
        "You've hit your session limit · resets 3pm (Atlantis/Poseidonis)",
        "You've hit your session limit · resets 25pm (UTC)",
        "You've hit your weekly limit · resets Feb 30, 5pm (UTC)",
        "usage limit reached, try again in five hours",
        "Repeated 529 Overloaded errors. Try again in a moment.",
        "You’ve hit your usage limit. Try again later.",
        "daily limit reached \u2014 resets at UTC midnight",
    ],
)
def test_text_without_a_certain_time_gives_none(text: str) -> None:
    assert limit_end.find_end(text, utc("2026-01-28T10:00"), "UTC") == 0


def test_unknown_zone_is_none() -> None:
    assert find_zone("Europe/Berlin") is not None
    assert find_zone("") is not None
    assert find_zone("Atlantis/Poseidonis") is None
    assert find_zone("../../etc/passwd") is None


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("You've hit your session limit · resets 3pm (UTC)", "5 hours"),
        ("You've hit your weekly limit · resets 3pm (UTC)", "7 days"),
        ("You've hit your Opus limit · resets 3pm (UTC)", "Opus"),
        ("You've hit your org's monthly spend limit", "org's monthly spend"),
        ("API Error: Request rejected (429) · The usage limit has been reached", ""),
    ],
)
def test_claude_names_the_window(text: str, window: str) -> None:
    found = agents.get("claude").read_limit(text, 1e9, {"ANTHROPIC_API_KEY": "k"}, Binding())
    assert found.window == window


def test_claude_names_the_account_of_its_login(tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text('{"oauthAccount": {"emailAddress": "a@example.com"}}')
    read = agents.get("claude").read_limit
    assert read("", 1e9, {"HOME": str(tmp_path)}, Binding()).account == "a@example.com"
    assert read("", 1e9, {"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "k"}, Binding()).account == ""


def write_rollout(path: Path, rate_limits: object, message: str) -> str:
    at = "2026-11-28T02:13:30.500Z"
    error = {"message": message, "codex_error_info": "usage_limit_exceeded"}
    records = [
        {"type": "event_msg", "payload": {"type": "task_started", "turn_id": "t"}},
        {"type": "event_msg", "payload": {"type": "token_count", "info": None, "rate_limits": rate_limits}},
        {"type": "event_msg", "payload": {"type": "task_complete", "turn_id": "t", "error": error}},
    ]
    path.write_text("".join(json.dumps({"timestamp": at, **record}) + "\n" for record in records))
    return str(path)


def test_codex_counts_are_exact(tmp_path: Path) -> None:
    def window(percent: float, minutes: int, end: int) -> dict[str, float]:
        return {"used_percent": percent, "window_minutes": minutes, "resets_at": end}

    read = agents.get("codex").read_limit
    rollout = write_rollout(
        tmp_path / "r.jsonl",
        {"primary": window(100.0, 300, 1795838001), "secondary": window(40.0, 10080, 1796400000)},
        CODEX + "3:13 AM.",
    )
    found = read("cut", 0.0, {"TZ": "UTC"}, Binding(transcript=rollout))
    assert (found.resets_at, found.precision, found.window) == (1795838001, 1.0, "5 hours")
    both = {"primary": window(100.0, 300, 1795838001), "secondary": window(100.0, 10080, 1796400000)}
    rollout = write_rollout(tmp_path / "r.jsonl", both, CODEX + "3:13 AM.")
    found = read("cut", 0.0, {"TZ": "UTC"}, Binding(transcript=rollout))
    assert (found.resets_at, found.window) == (1796400000, "7 days")


def test_codex_message_counts_without_full_window(tmp_path: Path) -> None:
    nothing = {"limit_id": "codex", "primary": None, "secondary": None}
    rollout = write_rollout(tmp_path / "r.jsonl", nothing, CODEX + "3:13 AM.")
    found = agents.get("codex").read_limit("cut", 0.0, {"TZ": "UTC"}, Binding(transcript=rollout))
    assert (found.resets_at, found.precision, found.window) == (utc("2026-11-28T03:13"), 60.0, "")
    rollout = write_rollout(tmp_path / "r.jsonl", nothing, "You’ve hit your usage limit. Try again later.")
    assert agents.get("codex").read_limit("", 0.0, {}, Binding(transcript=rollout)).resets_at == 0
