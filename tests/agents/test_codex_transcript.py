"""Frames of a codex rollout, record by record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lisa_py.agents._codex.errors import classify_error
from lisa_py.contract.frames import Frame
from tests.agents.codex_views import AGENT, recorded_frames


def line(kind: str, **payload: Any) -> bytes:
    record = {"timestamp": "2026-11-21T02:09:34.487Z", "ordinal": 1, "type": kind, "payload": payload}
    return json.dumps(record).encode() + b"\n"


def turns(frames: list[Frame]) -> list[list[Frame]]:
    found: list[list[Frame]] = []
    for frame in frames:
        if frame.kind == "turn_start":
            found.append([])
        found[-1].append(frame)
    return found


def turn(prompt: str) -> list[Frame]:
    """The recorded turn that begins with this prompt."""
    every = turns(recorded_frames("codex-interactive"))
    return next(
        frames for frames in every if any(frame.kind == "user" and frame.text.startswith(prompt) for frame in frames)
    )


def kinds(frames: list[Frame]) -> list[str]:
    return [frame.kind for frame in frames]


def test_a_turn_is_prompt_answer_usage_and_end() -> None:
    frames = turn("[fake text hello]")
    assert kinds(frames) == ["turn_start", "user", "assistant", "usage", "turn_end"]
    assert frames[2].text == "hello"
    assert frames[-1].reason == "completed"
    assert len({frame.turn for frame in frames}) == 1
    assert all(frames[at].at <= frames[at + 1].at for at in range(len(frames) - 1))


def test_injected_context_is_not_a_prompt() -> None:
    prompts = [frame.text for frame in recorded_frames("codex-interactive") if frame.kind == "user"]
    assert not any(text.startswith("<") for text in prompts)
    assert prompts[0] == "[fake text hello]"


def test_a_tool_call_has_its_command_and_its_result() -> None:
    frames = turn("[fake think 1")
    call = next(frame for frame in frames if frame.kind == "tool_use")
    result = next(frame for frame in frames if frame.kind == "tool_result")
    assert (call.tool, call.text) == ("exec_command", "echo hi")
    assert (result.text, result.failed, result.tool_id) == ("hi\n", False, call.tool_id)
    assert next(frame for frame in frames if frame.kind == "thinking").text == "Weighing options"


def test_failed_command_is_a_failed_result() -> None:
    assert next(frame for frame in turn("[fake tool false") if frame.kind == "tool_result").failed


def test_refused_command_fails_and_interrupts_the_turn() -> None:
    frames = turn("[fake ask touch not-made")
    result = next(frame for frame in frames if frame.kind == "tool_result")
    assert (result.text, result.failed) == ("aborted by user", True)
    assert frames[-1].reason == "interrupted"


def test_the_plan_is_the_task_list() -> None:
    call = next(frame for frame in turn("[fake todos") if frame.kind == "tool_use")
    assert [(todo.text, todo.status) for todo in call.todos] == [
        ("Step 1", "completed"),
        ("Step 2", "in_progress"),
        ("Step 3", "pending"),
    ]
    assert call.text == "Step 1; Step 2; Step 3"


def test_question_has_its_text() -> None:
    call = next(frame for frame in turn("[fake question") if frame.kind == "tool_use")
    assert (call.tool, call.text) == ("request_user_input", "Which colour?")


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("auth", "auth"),
        ("permission", "permission"),
        ("billing", "billing"),
        ("bad_request", "bad_request"),
        ("not_found", "not_found"),
        ("rate_limit", "rate_limit"),
        ("usage_limit", "usage_limit"),
        ("server", "server"),
        ("overloaded", "overloaded"),
        ("too_long", "too_long"),
    ],
)
def test_error_kind_comes_from_the_record(prompt: str, kind: str) -> None:
    frames = turn(f"[fake error {prompt}]")
    assert kinds(frames)[-2:] == ["error", "turn_end"]
    assert (frames[-1].reason, frames[-1].error, frames[-2].error) == ("failed", kind, kind)
    assert frames[-2].text


def test_a_dropped_connection_is_a_network_error() -> None:
    assert turn("[fake drop]")[-1].error == "network"


def test_interrupted_turn_ends_as_interrupted() -> None:
    assert turn("[fake hang")[-1].reason == "interrupted"


def test_text_sent_during_a_tool_belongs_to_the_turn() -> None:
    frames = turn("[fake tool sleep 2")
    assert [frame.text for frame in frames if frame.kind == "user"] == [
        "[fake tool sleep 2 then text x]",
        "[fake text steered]",
    ]


def test_command_of_the_user_is_reported() -> None:
    frames = turn("!echo own")
    assert kinds(frames)[1:4] == ["user", "tool_use", "tool_result"]
    assert (frames[2].text, frames[3].text) == ("echo own", "own\n")


def test_compaction_is_reported() -> None:
    assert any(frame.kind == "system" and "compacted" in frame.text for frame in recorded_frames("codex-interactive"))


def test_late_end_of_interrupted_command_begins_no_turn() -> None:
    assert kinds(recorded_frames("codex-interactive")).count("turn_start") == len(
        turns(recorded_frames("codex-interactive"))
    )
    late = line("event_msg", type="item_completed", turn_id="t", item={"type": "CommandExecution", "source": "agent"})
    assert AGENT.parse_frames(late, 1) == []


def test_usage_counts_one_call() -> None:
    found = [frame.usage for frame in recorded_frames("codex-exec") if frame.usage]
    assert len(found) == 2
    assert all(usage.total_tokens == usage.input_tokens + usage.output_tokens for usage in found)


def test_full_window_at_an_error_is_not_usage() -> None:
    frames = turn("[fake error too_long]")
    assert not any(frame.usage for frame in frames)


def test_exec_run_has_the_frames_of_a_session() -> None:
    frames = recorded_frames("codex-exec")
    assert kinds(frames)[:3] == ["turn_start", "user", "tool_use"]
    assert kinds(frames)[-1] == "turn_end"


def test_offsets_follow_the_record() -> None:
    frames = recorded_frames("codex-exec")
    assert [frame.offset for frame in frames] == sorted(frame.offset for frame in frames)
    assert AGENT.parse_frames(line("event_msg", type="task_started", turn_id="t"), 77)[0].offset == 77


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b'"x"',
        b'{"type":"event_msg"}',
        b'{"type":"event_msg","payload":null}',
        b'{"type":"event_msg","payload":[]}',
        b'{"type":"event_msg","payload":{"type":7}}',
        b'{"type":"event_msg","payload":{"type":"item_completed","item":7}}',
        b'{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"AgentMessage","content":{"a":1}}}}',
        b'{"type":"response_item","payload":{"type":"function_call","arguments":"{not json"}}',
        b'{"type":"response_item","payload":{"type":"function_call","name":"update_plan","arguments":"{\\"plan\\":7}"}}',
        b'{"type":"response_item","payload":{"type":"function_call_output","output":{"a":[1,null]}}}',
        b'{"type":"token_usage_record","payload":{"usage":"none"}}',
        b'{"type":"a_new_kind","payload":{}}',
        b"\xff\xfe\n",
    ],
)
def test_malformed_or_unknown_line_is_ignored(broken: bytes) -> None:
    for frame in AGENT.parse_frames(broken, 1):
        assert frame.kind in ("tool_use", "tool_result", "usage", "assistant")


def test_older_rollouts_are_read() -> None:
    user = AGENT.parse_frames(line("event_msg", type="user_message", message="hi"), 1)
    reply = AGENT.parse_frames(line("event_msg", type="agent_message", message="ho"), 1)
    assert [(frame.kind, frame.text) for frame in (*user, *reply)] == [("user", "hi"), ("assistant", "ho")]


def test_patch_is_one_line() -> None:
    patch = line("response_item", type="custom_tool_call", name="apply_patch", call_id="c", input="*** Begin\n+a\n")
    assert AGENT.parse_frames(patch, 1)[0].text == "*** Begin +a"


def test_unnamed_error_kind_comes_from_status_or_text() -> None:
    assert classify_error(None, "unexpected status 502 Bad Gateway: x") == "server"
    assert classify_error({"http_connection_failed": {"http_status_code": None}}, "x") == "network"
    assert classify_error("other", "error sending request for url (http://x)") == "network"
    assert classify_error(None, "something new") == "unknown"
    assert classify_error(["odd"], "") == "unknown"
