"""Input to claude and the evidence of its acceptance."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from lisa_py.agents.base import Acceptance, Binding, InputPlan
from lisa_py.contract.frames import Frame
from tests.agents.claude_views import AGENT, NOW, OTHER, ClaudeHome, hook_record, recorded_frames

EARLIER = hook_record("Stop", 30)


@pytest.fixture
def home(tmp_path: Path) -> ClaudeHome:
    return ClaudeHome(tmp_path)


def how(home: ClaudeHome, text: str) -> InputPlan:
    return AGENT.prepare_input(text, home.view(EARLIER))


@pytest.mark.parametrize("text", ["do it", "two\nlines", "/clear", "/model opus", "#note", "@file.py look", "&", "?"])
def test_texts_and_commands_are_pasted_unchanged(home: ClaudeHome, text: str) -> None:
    home.write_live_file("idle", ago=30)
    assert how(home, text) == InputPlan()


@pytest.mark.parametrize("text", ["ends in \\", "ends in \\\n", "a\\\\"])
def test_text_with_final_backslash_is_submitted_from_line_start(home: ClaudeHome, text: str) -> None:
    assert how(home, text).before_enter == ("C-a",)


def test_leading_exclamation_mark_is_text(home: ClaudeHome) -> None:
    assert how(home, "!important: stop").prefix == " "


def test_enter_is_delayed_just_after_start(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=0.1)
    started = hook_record("SessionStart", 0.2, source="startup")
    assert AGENT.prepare_input("x", home.view(started)).settle_seconds > 0
    assert AGENT.prepare_input("x", home.view(started, EARLIER)).settle_seconds == 0
    home.write_live_file("idle", ago=5)
    assert AGENT.prepare_input("x", home.view(started)).settle_seconds == 0


# -- accepted ---------------------------------------------------------------------------------------------------------


def accepted(home: ClaudeHome, text: str, *hooks: dict[str, object], **more: Any) -> str:
    view = home.view(*hooks, **more)
    return AGENT.find_acceptance(text, NOW - 5, view, AGENT.bind(view)).source


def submit(ago: float, prompt: str) -> dict[str, object]:
    return hook_record("UserPromptSubmit", ago, prompt=prompt)


def test_prompt_hook_is_evidence_of_acceptance(home: ClaudeHome) -> None:
    assert accepted(home, "do it", submit(4, "do it")) == "hook"
    assert accepted(home, "do it", submit(4, "do it"), hook_record("PreToolUse", 3)) == "hook"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\tb  c\n", "a    b  c"),
        ("cafe\u0301", unicodedata.normalize("NFC", "cafe\u0301")),
        ("x" * 12_000, '\n<pasted_content id="1">\n' + "x" * 12_000 + '\n</pasted_content id="1">'),
        ("!now", " !now"),
        ("/tmp/a/shot.png", "[Image #3]"),
        ("'/tmp/a b.JPG' /tmp/c.webp", "[Image #1] [Image #2]"),
        ("\u202eto the left \u200bzero vs\ufe0f16", "to the left zero vs16"),
    ],
)
def test_text_is_matched_in_every_transcript_form(home: ClaudeHome, text: str, seen: str) -> None:
    assert accepted(home, text, submit(4, seen)) == "hook"
    frames = (Frame(kind="turn_start", at=NOW - 4), Frame(kind="user", at=NOW - 4, text=seen))
    assert accepted(home, text, frames=frames) == "transcript"


def test_long_prompt_is_matched_by_its_time(home: ClaudeHome) -> None:
    assert accepted(home, "x" * 50_000, hook_record("UserPromptSubmit", 4, cut=True)) == "hook"


def test_older_prompt_and_other_text_do_not_count(home: ClaudeHome) -> None:
    assert accepted(home, "do it", submit(6, "do it")) == ""
    assert accepted(home, "do it", submit(4, "do something else")) == ""
    old = (Frame(kind="user", at=NOW - 9, text="do it"), Frame(kind="assistant", at=NOW - 8, text="do it"))
    assert accepted(home, "do it", frames=old) == ""
    assert accepted(home, "do it") == ""


def test_session_file_is_evidence_without_hooks(home: ClaudeHome) -> None:
    home.write_live_file("busy", ago=4)
    assert accepted(home, "do it") == "agent_file"
    assert accepted(home, "do it", submit(9, "the one before")) == ""  # it may be that one that is worked on
    home.write_live_file("waiting", ago=4, waitingFor="dialog open")
    assert accepted(home, "/cost", submit(9, "the one before")) == "agent_file"
    home.write_live_file("busy", ago=6)
    assert accepted(home, "do it") == ""
    home.write_live_file("idle", ago=4)
    assert accepted(home, "do it") == ""


def test_commands_are_accepted_by_their_effect(home: ClaudeHome) -> None:
    assert (
        accepted(
            home,
            "/clear",
            hook_record("SessionEnd", 4.2, reason="clear"),
            hook_record("SessionStart", 4, source="clear"),
        )
        == "hook"
    )
    frames = (Frame(kind="system", at=NOW - 4, text="/compact"),)
    assert accepted(home, "/compact", frames=frames) == "transcript"


# -- refused, joined, altered -----------------------------------------------------------------------------------------


def evidence(home: ClaudeHome, text: str, *hooks: dict[str, object], **more: Any) -> Acceptance:
    view = home.view(*hooks, **more)
    return AGENT.find_acceptance(text, NOW - 5, view, AGENT.bind(view))


def refused_frames(version: str) -> tuple[Frame, ...]:
    return tuple(recorded_frames(f"refused-{version}"))


@pytest.mark.parametrize("version", ["2.1.332", "2.1.197"])
@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("this is FORBIDDEN", "prompt_blocked_by_hook", "policy: no"),
        ("this BLOCKJ", "prompt_blocked_by_hook", "json reason"),
        ("this CONT", "prompt_blocked_by_hook", "stop reason"),
        ("/reviw the last commit", "command_unknown", "Unknown command: /reviw. Did you mean /review?"),
    ],
)
def test_refusal_is_found_with_its_message(home: ClaudeHome, version: str, text: str, code: str, reason: str) -> None:
    frames = refused_frames(version)
    seen = AGENT.find_acceptance(text, frames[0].at - 1, home.view(submit(4, text), frames=frames), Binding())
    assert (seen.refusal, seen.reason, seen.source) == (code, reason, "")


@pytest.mark.parametrize("version", ["2.1.332", "2.1.197"])
@pytest.mark.parametrize("text", ["hello there", "last", "/review the last commit", "this is FORBID", "/rev"])
def test_refusals_of_other_texts_do_not_count(home: ClaudeHome, version: str, text: str) -> None:
    frames = refused_frames(version)
    assert AGENT.find_acceptance(text, frames[0].at - 1, home.view(frames=frames), Binding()).refusal == ""


def test_slash_without_a_name_is_not_a_command(home: ClaudeHome) -> None:
    line = {"type": "user", "message": {"role": "user", "content": "Commands are in the form `/command [args]`"}}
    (frame,) = AGENT.parse_frames(json.dumps(line).encode(), 1)
    assert frame.kind == "system"
    frames = (structs.replace(frame, at=NOW),)
    assert evidence(home, "/ text", frames=frames).refusal == "command_unknown"
    assert evidence(home, "text", frames=frames).refusal == ""


def test_own_hook_alone_is_provisional(home: ClaudeHome) -> None:
    assert evidence(home, "do it", submit(4, "do it")).provisional
    assert not evidence(home, "do it", submit(4, "do it"), hook_record("PreToolUse", 3)).provisional
    kept = (Frame(kind="user", at=NOW - 4, text="do it"),)
    assert not evidence(home, "do it", submit(4, "do it"), frames=kept).provisional


def test_hook_of_another_session_does_not_count(home: ClaudeHome) -> None:
    foreign = {**submit(4, "do it"), "session_id": OTHER}
    home.write_live_file("idle", ago=9)
    assert accepted(home, "do it", foreign) == ""
    assert accepted(home, "do it", foreign, submit(3, "do it")) == "hook"


def test_text_joined_with_a_draft_is_not_accepted(home: ClaudeHome) -> None:
    for seen in (
        evidence(home, "run the tests", submit(4, "only if\nrun the tests")),
        evidence(home, "run the tests", frames=(Frame(kind="user", at=NOW - 4, text="only if run the tests"),)),
    ):
        assert (seen.source, seen.joined_with) == ("", "only if")
    exact = (
        Frame(kind="user", at=NOW - 4, text="only if run the tests"),
        Frame(kind="user", at=NOW - 3, text="run the tests"),
    )
    assert evidence(home, "run the tests", frames=exact).source == "transcript"


@pytest.mark.parametrize(
    ("text", "seen", "altered"),
    [
        ("a\tb\tc", "a    b    c", {"tab": 2}),
        ("a\tb", "a\tb", {}),
        ("zero\u200bwidth", "zerowidth", {"invisible": 1}),
        ("/tmp/x.png", "[Image #7]", {"image": 1}),
        ("plain", "plain", {}),
    ],
)
def test_replaced_parts_are_counted(home: ClaudeHome, text: str, seen: str, altered: dict[str, int]) -> None:
    assert evidence(home, text, frames=(Frame(kind="user", at=NOW - 4, text=seen),)).altered == altered


@pytest.mark.parametrize(
    ("text", "seen"),
    [("/tmp/x.png", "[Image #7] [Image #8]"), ("look at /tmp/x.png now", "[Image #7] now"), ("x.txt", "[Image #7]")],
)
def test_other_attachments_are_not_the_image_path(home: ClaudeHome, text: str, seen: str) -> None:
    assert evidence(home, text, frames=(Frame(kind="user", at=NOW - 4, text=seen),)).source == ""


@pytest.mark.parametrize(
    ("text", "prefix"), [("/ x", " "), ("/1 x", " "), ("//x", ""), ("/cost", ""), ("/tmp/x y", "")]
)
def test_slash_without_a_name_is_typed_as_text(home: ClaudeHome, text: str, prefix: str) -> None:
    assert how(home, text).prefix == prefix


def test_enter_after_an_image_path_waits_for_the_attachment(home: ClaudeHome) -> None:
    assert how(home, "/tmp/x.png").wait_for_echo
    assert not how(home, "/tmp/x.txt").wait_for_echo
