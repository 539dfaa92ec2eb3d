"""capture, handoff and packet of the real claude and codex."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.core.output import capture as output_capture
from lisa_py.core.output.capture_request import CaptureRequest
from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version, permission="bypass")


def capture(stage: LiveSessionHarness, *words: str) -> dict[str, Any]:
    answer = stage.lisa("capture", *words)
    assert answer.code == 0, answer
    return answer.json


def turn(stage: LiveSessionHarness, prompt: str) -> None:
    answer = stage.send(prompt)
    assert answer.code == 0 and answer.json["delivered"] is True, answer
    ended = stage.lisa("monitor", "--waiting-requires-turn-complete", "true", "--timeout-seconds", "30")
    assert ended.code == 0, (ended, stage.status(), stage.transcript(), stage.screen())


def role_texts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["text"]) for message in answer["messages"]]


def test_conversation_with_tools_is_read_from_transcript(stage: LiveSessionHarness) -> None:
    stage.begin()
    turn(stage, "[fake tool echo hi there then text THE_ANSWER]")
    answer = capture(stage)
    assert answer["source"] == "transcript"
    assert role_texts(answer) == [
        ("user", "[fake tool echo hi there then text THE_ANSWER]"),
        ("assistant", "THE_ANSWER"),
    ]
    assert answer[f"{stage.agent_name}Session"] == answer["agentSession"]
    call = answer["toolCalls"][0]
    assert "echo hi there" in call["text"]
    assert (call["after"], call["finished"], call["failed"]) == (0, True, False)
    assert answer["messages"][1]["timestamp"] > answer["messages"][0]["timestamp"]


def test_monitor_ignores_idle_before_the_first_prompt(stage: LiveSessionHarness) -> None:
    stage.begin("[fake think 1 hm then text FIRST_ANSWER]")
    ended = stage.lisa("monitor", "--timeout-seconds", "40")
    assert ended.json["exitReason"] == "waiting_input", ended
    assert role_texts(capture(stage))[-1] == ("assistant", "FIRST_ANSWER"), stage.status()


def test_each_reader_continues_at_its_cursor(stage: LiveSessionHarness) -> None:
    by_pane, by_talk = str(stage.machine.folder / "pane"), str(stage.machine.folder / "talk")
    stage.begin()
    turn(stage, "[fake text first answer]")
    capture(stage, "--raw", "--cursor-file", by_pane)
    capture(stage, "--transcript", "--cursor-file", by_talk)
    turn(stage, "[fake text second answer]")
    pane = capture(stage, "--raw", "--cursor-file", by_pane)
    assert "second answer" in pane["capture"]
    if "screen" not in pane:  # on the main screen nothing is given twice
        assert "first answer" not in pane["capture"]
        assert "deltaReset" not in pane
    talk = capture(stage, "--transcript", "--cursor-file", by_talk)
    assert role_texts(talk) == [("user", "[fake text second answer]"), ("assistant", "second answer")]
    assert capture(stage, "--transcript", "--cursor-file", by_talk)["messages"] == []


def test_repeated_turns_are_returned_once_after_a_clear(stage: LiveSessionHarness) -> None:
    cursor = str(stage.machine.folder / "cursor")
    stage.begin()
    turn(stage, "[fake text before]")
    stage.send("/clear" if stage.agent_name == "claude" else "/new")
    stage.wait_until_idle()
    for _ in range(6):
        turn(stage, "[fake text the same]")
    capture(stage, "--raw", "--cursor-file", cursor)
    for _ in range(2):
        turn(stage, "[fake text the same]")
    pane = capture(stage, "--raw", "--cursor-file", cursor)
    if "screen" not in pane:
        answers = [line for line in pane["capture"].split("\n") if line.strip() in ("● the same", "• the same")]
        assert len(answers) == 2, pane
        assert "deltaReset" not in pane


def test_idle_agent_has_no_new_output(stage: LiveSessionHarness) -> None:
    cursor = str(stage.machine.folder / "cursor")
    stage.begin()
    turn(stage, "[fake text only this]")
    capture(stage, "--raw", "--cursor-file", cursor)
    for _ in range(3):
        assert capture(stage, "--raw", "--cursor-file", cursor)["capture"].strip() == ""


def test_marker_is_found_in_the_answer_not_in_the_prompt(stage: LiveSessionHarness) -> None:
    stage.begin()
    turn(stage, "[fake text something else] and then say READY_MARK")
    turn(stage, "[fake text another thing]")  # the question is no longer the last
    for source in ("--raw", "--transcript"):
        assert capture(stage, source, "--markers", "READY_MARK")["markerMatches"] == {"READY_MARK": False}
    turn(stage, "[fake text READY_MARK]")
    assert capture(stage, "--markers", "READY_MARK")["markerMatches"] == {"READY_MARK": True}


def test_answer_like_noise_is_kept(stage: LiveSessionHarness) -> None:
    stage.begin()
    turn(stage, "[fake text Please run codex to update the docs]")
    assert "Please run codex to update the docs" in capture(stage, "--raw")["capture"]
    assert "Please run codex to update the docs" in capture(stage, "--raw", "--semantic-delta")["semanticDelta"]


def test_summary_shows_the_answer_not_the_layout(stage: LiveSessionHarness) -> None:
    stage.begin()
    turn(stage, "[fake text the one thing to know]")
    packet = stage.lisa("packet", "--token-budget", "80").json
    assert "the one thing to know" in packet["summary"]
    assert "─────" not in packet["summary"]


def test_an_error_is_part_of_the_conversation(stage: LiveSessionHarness) -> None:
    stage.begin()
    stage.send("[fake error bad_request]")
    stage.wait_for_status(lambda status: status.session_state == "waiting_input")
    assert capture(stage)["problems"], stage.screen()


def test_an_exec_run_is_read_after_its_end(stage: LiveSessionHarness) -> None:
    stage.begin("[fake tool echo hi then text EXEC_ANSWER]", mode="exec")
    stage.wait_until_ended()
    answer = capture(stage)
    assert answer["source"] == "transcript"
    assert role_texts(answer)[-1] == ("assistant", "EXEC_ANSWER")
    assert "EXEC_ANSWER" in capture(stage, "--raw")["capture"]
    handoff = stage.lisa("handoff", "--schema", "v4").json
    assert (handoff["sessionState"], handoff["nextAction"]["name"]) == ("completed", "session capture")


def test_output_of_a_killed_agent_is_readable(stage: LiveSessionHarness) -> None:
    stage.begin()
    turn(stage, "[fake text last words]")
    stage.ctx.server(stage.ref).kill_server()
    assert role_texts(capture(stage))[-1] == ("assistant", "last words")


def test_a_new_conversation_in_the_same_pane_is_followed(stage: LiveSessionHarness) -> None:
    cursor = str(stage.machine.folder / "cursor")
    stage.begin()
    turn(stage, "[fake text before]")
    capture(stage, "--transcript", "--cursor-file", cursor)
    stage.send("/clear" if stage.agent_name == "claude" else "/new")
    stage.wait_until_idle()
    turn(stage, "[fake text after]")
    answer = capture(stage, "--transcript", "--cursor-file", cursor)
    assert answer["deltaReset"] == "other_transcript"
    assert role_texts(answer) == [("user", "[fake text after]"), ("assistant", "after")]


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_last_output_is_readable_when_the_agent_is_idle(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent).begin()
    for number in range(4):
        stage.send(f"[fake text answer {number}]")
        stage.wait_until_idle()
        found = output_capture.capture_session(machine.context(), stage.ref, CaptureRequest())
        assert (found.source, f"answer {number}" in found.text.rpartition(">")[2]) == ("transcript", True), found.text


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_question_of_a_permission_and_last_answer(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent).begin("[fake ask touch made.txt then text it is done]")
    stage.wait_for_status(lambda status: status.waiting_for == "permission")
    shown = stage.lisa("status", "--json-min").json
    assert "touch made.txt" in shown["question"] and "──" not in shown["question"]
    assert [choice["number"] for choice in shown["choices"]][:2] == [1, 2]
    risks = stage.lisa("handoff", "--schema", "v4").json["risks"]
    asked = next(risk["message"] for risk in risks if risk["code"] == "agent_asks")
    assert "touch made.txt" in asked and "choices 1. Yes" in asked
    assert stage.lisa("next").json["nextAction"] == "session dialogs"
    assert stage.lisa("capture", "--last").json["errorCode"] == "no_answer_yet"
    assert stage.lisa("send", "--answer", "yes").json["delivered"] is True
    stage.wait_until_idle()
    assert stage.lisa("capture", "--last", "--json-min").json["capture"] == "it is done"
