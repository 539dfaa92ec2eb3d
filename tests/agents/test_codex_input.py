"""Input for codex: the keys to press, and the evidence of acceptance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lisa_py.agents.base import Acceptance, Binding, InputPlan
from lisa_py.contract.frames import Frame
from tests.agents.codex_views import AGENT, NOW, THREAD, pane, view


def prepare_input(text: str) -> InputPlan:
    return AGENT.prepare_input(text, view())


def accepted(text: str, **more: object) -> str:
    return AGENT.find_acceptance(text, NOW - 1, view(**more), Binding(session_id=THREAD)).source


@pytest.mark.parametrize("text", ["hello", "/status", "two\nlines", "mail me@example.org now", "ends in \\"])
def test_text_is_pasted_and_submitted_unchanged(text: str) -> None:
    assert prepare_input(text) == InputPlan()


@pytest.mark.parametrize("text", ["look at @foo", "cost is $", "what about @", "two\n$sk", "tab\t@x"])
def test_completion_list_does_not_replace_the_last_word(text: str) -> None:
    assert prepare_input(text) == InputPlan(before_enter=("C-a", "C-a"))


@pytest.mark.parametrize("text", ["@", "$", "$5", "@foo", "$skill"])
def test_word_that_opens_a_list_begins_a_new_line(text: str) -> None:
    assert prepare_input(text) == InputPlan(before_paste=("C-j",), before_enter=("C-a", "C-a"))


@pytest.mark.parametrize(("text", "prefix"), [("/ x", " "), ("/1 x", " "), ("/", " "), ("/status", ""), ("/a/b", "")])
def test_slash_without_a_name_is_typed_as_text(text: str, prefix: str) -> None:
    assert prepare_input(text).prefix == prefix


def test_text_with_exclamation_mark_is_not_a_shell_command() -> None:
    assert prepare_input("!rm -rf build") == InputPlan(prefix=" ")


def test_prompt_in_the_rollout_is_accepted() -> None:
    frames = (Frame(kind="user", at=NOW, text="hello\nworld"),)
    assert accepted("hello\nworld  \n", frames=frames) == "transcript"
    assert accepted("hello", frames=frames) == ""


def evidence(text: str, **more: object) -> Acceptance:
    return AGENT.find_acceptance(text, NOW - 1, view(**more), Binding(session_id=THREAD))


SUBMIT = ({"hook": "UserPromptSubmit", "at": NOW, "prompt": "hello"},)
EMPTY_TURN = (Frame(kind="turn_start", at=NOW), Frame(kind="turn_end", at=NOW, reason="completed"))


def test_text_joined_with_a_draft_is_not_accepted() -> None:
    for seen in (
        evidence("hello", frames=(Frame(kind="user", at=NOW, text="draft hello"),)),
        evidence("hello", hooks=({"hook": "UserPromptSubmit", "at": NOW, "prompt": "draft hello"},)),
    ):
        assert (seen.source, seen.joined_with) == ("", "draft")


def test_prompt_of_an_empty_turn_was_blocked_by_a_hook() -> None:
    screen = pane("blocked-by-hook")
    seen = evidence("hello", hooks=SUBMIT, frames=EMPTY_TURN, screen=screen)
    assert (seen.refusal, seen.reason) == ("prompt_blocked_by_hook", "")  # the screen shows another prompt
    hooks = ({"hook": "UserPromptSubmit", "at": NOW, "prompt": "this BLOCKJ"},)
    assert evidence("this BLOCKJ", hooks=hooks, frames=EMPTY_TURN, screen=screen).reason == "json reason"
    assert evidence("other", hooks=SUBMIT, frames=EMPTY_TURN).refusal == ""


def test_own_hook_is_provisional_unless_a_turn_was_running() -> None:
    assert evidence("hello", hooks=SUBMIT).provisional
    assert not evidence("hello", hooks=SUBMIT, frames=(Frame(kind="turn_start", at=NOW - 9),)).provisional


def test_unknown_command_is_refused_with_the_codex_message() -> None:
    seen = evidence("/nonsense x", screen=pane("unknown-command"))
    assert seen.refusal == "command_unknown"
    assert seen.reason.startswith("Unrecognized command '/nonsense'")
    assert evidence("/other", screen=pane("unknown-command")).refusal == ""


def test_older_identical_prompt_does_not_count() -> None:
    assert accepted("hello", frames=(Frame(kind="user", at=NOW - 5, text="hello"),)) == ""


def test_prompt_reported_by_the_hook_is_accepted() -> None:
    hooks = ({"hook": "UserPromptSubmit", "at": NOW, "prompt": "hello"},)
    assert accepted("hello", hooks=hooks) == "hook"
    assert accepted("other", hooks=hooks) == ""


def test_prompt_queued_behind_a_tool_is_accepted() -> None:
    assert accepted("[fake text steered answer]", screen=pane("tool-with-pending-text")) == "screen"
    assert accepted("something else", screen=pane("tool-with-pending-text")) == ""


def test_prompt_in_the_thread_history_is_accepted(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    lines = [
        {"session_id": THREAD, "ts": int(NOW) - 50, "text": "old"},
        {"session_id": "01a1fc71-0000-7000-8000-000000000000", "ts": int(NOW), "text": "elsewhere"},
        {"session_id": THREAD, "ts": int(NOW), "text": "hello"},
    ]
    history.write_text("torn\n" + "".join(json.dumps(line) + "\n" for line in lines))
    import os

    os.utime(history, (NOW, NOW))
    environ = {"CODEX_HOME": str(tmp_path)}
    assert accepted("hello", environ=environ) == "agent_file"
    for other in ("old", "elsewhere", "hell"):
        assert accepted(other, environ=environ) == ""


def test_command_that_begins_a_turn_is_accepted() -> None:
    assert accepted("/compact", frames=(Frame(kind="turn_start", at=NOW),)) == "transcript"
    assert accepted("/compact", frames=(Frame(kind="turn_start", at=NOW - 9),)) == ""
    assert accepted("compact", frames=(Frame(kind="turn_start", at=NOW),)) == ""
