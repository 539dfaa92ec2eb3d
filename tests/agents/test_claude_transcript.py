"""Frames of claude's transcript, on recorded transcripts and on invalid lines."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from lisa_py.agents._claude import transcript
from lisa_py.agents._claude.errors import classify_error
from lisa_py.contract.frames import Frame, Todo
from tests.agents.claude_views import AGENT, recorded_frames


def frames(record: dict[str, Any], offset: int = 7) -> list[Frame]:
    return AGENT.parse_frames(json.dumps(record).encode(), offset)


def kinds(made: list[Frame]) -> list[str]:
    return [frame.kind for frame in made]


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "user", "uuid": "u1", "timestamp": "2026-11-21T02:07:24.500Z", "promptId": "p1",
            "message": {"role": "user", "content": content}, **more}  # fmt: skip


def assistant(*blocks: dict[str, Any], stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}
    message = {"role": "assistant", "id": "m1", "model": "opus", "content": list(blocks), "stop_reason": stop,
               "usage": usage}  # fmt: skip
    return {"type": "assistant", "uuid": "a1", "timestamp": "2026-11-21T02:07:25Z", "message": message, **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_a_prompt_begins_a_turn() -> None:
    start, prompt = frames(user("do it"))
    assert (start.kind, prompt.kind) == ("turn_start", "user")
    assert (prompt.text, prompt.at, prompt.id, prompt.turn, prompt.offset) == ("do it", 1795226844.5, "u1", "p1", 7)
    assert not prompt.queued


def test_queued_prompt_is_marked() -> None:
    queued = [frame for frame in recorded_frames("queued") if frame.kind == "user"]
    assert [(frame.text, frame.queued) for frame in queued] == [
        ("[fake gate g then text one]", False),
        ("[fake text two]", True),
    ]


def test_prompt_accepted_during_a_turn_belongs_to_it() -> None:
    made = [
        frame for frame in recorded_frames("steered") if frame.kind in ("turn_start", "user", "assistant", "turn_end")
    ]
    assert [(frame.kind, frame.text) for frame in made][:5] == [
        ("turn_start", ""), ("user", "[fake tool sleep 2; echo 1 then wait 1 then text one]"),
        ("user", "[fake text steered]"), ("assistant", "steered"), ("turn_end", ""),
    ]  # fmt: skip
    assert made[2].queued


def test_queued_prompts_are_counted_until_run_or_removed() -> None:
    made = recorded_frames("steered")
    seen = [transcript.count_queued_prompts(made[: at + 1]) for at in range(len(made))]
    assert [count for at, count in enumerate(seen) if not at or count != seen[at - 1]] == [0, 1, 0, 1, 0]
    interrupted = next(at for at, frame in enumerate(made) if frame.reason == "interrupted")
    assert seen[interrupted] == 1
    late = [frame for frame in made if frame.reason in ("enqueue", "remove")][:1] + made[:2]
    assert transcript.count_queued_prompts(late) == 1  # a record may stand before an older one
    two = [frame for frame in recorded_frames("queued") if frame.queued and frame.kind == "system"] * 2
    assert transcript.count_queued_prompts(two) == 2
    assert transcript.count_queued_prompts([*two, msgspec.structs.replace(two[0], reason="popAll")]) == 0


def test_pasted_prompt_has_no_tags() -> None:
    wrapped = 'look:\n\n<pasted_content id="6e8f">\nline one\nline two\n</pasted_content id="6e8f">\n'
    assert frames(user(wrapped))[1].text == "look:line one\nline two"
    assert frames(user('<pasted_content id="1">\nabc\n</pasted_content id="1">\n'))[1].text == "abc"


def test_placeholder_of_a_missing_answer_is_ignored() -> None:
    filler = assistant(text("No response requested."), stop="stop_sequence")
    filler["message"]["model"] = "<synthetic>"
    (end,) = frames(filler)
    assert (end.kind, end.reason) == ("turn_end", "interrupted")
    assert frames(assistant(text("No response requested.")))[0].kind == "assistant"


def test_an_answer_ends_the_turn_and_counts_its_tokens() -> None:
    reply, usage, end = frames(assistant(text("done")))
    assert (reply.kind, reply.text) == ("assistant", "done")
    assert usage.usage is not None
    assert (usage.usage.input_tokens, usage.usage.cached_tokens, usage.usage.output_tokens) == (17, 7, 5)
    assert (usage.usage.total_tokens, usage.usage.model, usage.id) == (22, "opus", "m1")
    assert (end.kind, end.reason) == ("turn_end", "completed")


def test_message_of_several_blocks_counts_once() -> None:
    made = recorded_frames("thinking")
    assert kinds(made) == [
        "turn_start", "user", "thinking", "usage", "assistant", "tool_use", "tool_result", "thinking", "usage",
        "assistant", "turn_end", "system",
    ]  # fmt: skip


def test_message_with_a_tool_call_does_not_end_the_turn() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls  -l\n| wc", "description": "List"}}
    used, _ = frames(assistant(call, stop="tool_use"))
    assert (used.kind, used.tool, used.tool_id, used.text) == ("tool_use", "Bash", "t1", "ls -l | wc")


def test_tool_result_names_its_call_and_failure() -> None:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": [text("no"), text("file")], "is_error": True}
    (result,) = frames(user([block]))
    assert (result.kind, result.tool_id, result.text, result.failed) == ("tool_result", "t1", "no\nfile", True)


def test_todo_list_is_complete() -> None:
    todos = [{"content": "a", "status": "completed"}, {"content": "b", "status": "odd"}, {"content": "c",
             "status": "pending"}, 5]  # fmt: skip
    call = {"type": "tool_use", "id": "t1", "name": "TodoWrite", "input": {"todos": todos}}
    assert frames(assistant(call, stop="tool_use"))[0].todos == (Todo("a", "completed"), Todo("c", "pending"))


def test_errors_interrupts_and_ends_of_a_recorded_session() -> None:
    ends = [
        (frame.reason, frame.error) for frame in recorded_frames("errors-and-interrupts") if frame.kind == "turn_end"
    ]
    assert ends == [
        ("completed", ""),
        ("interrupted", ""),
        ("interrupted", ""),
        ("interrupted", ""),
        ("failed", "auth"),
        ("failed", "permission"),
        ("failed", "billing"),
        ("failed", "bad_request"),
        ("failed", "too_long"),
        ("failed", "not_found"),
        ("failed", "rate_limit"),
        ("failed", "usage_limit"),
        ("failed", "server"),
        ("failed", "server"),
        ("failed", "overloaded"),
        ("failed", "network"),
    ]


def test_retries_of_an_exec_run_do_not_end_the_turn() -> None:
    made = recorded_frames("exec-retries")
    assert [(frame.kind, frame.error) for frame in made if frame.kind in ("error", "turn_end")] == [
        ("error", "overloaded"),
        ("error", "overloaded"),
        ("turn_end", ""),
    ]
    assert next(frame.text for frame in made if frame.kind == "error") == "529 Overloaded · retry 1 of 3"


def test_message_of_a_subagent_begins_a_turn() -> None:
    made = recorded_frames("helper")
    assert kinds(made).count("turn_start") == 2
    assert [frame.text for frame in made if frame.kind == "user"] == [made[1].text]
    notes = [frame.text for frame in made if frame.kind == "system" and not frame.queued]
    assert notes[1] == 'Agent "sub job" finished'


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (user("<command-name>/model</command-name>\n<command-args>opus</command-args>"), "/model opus"),
        (user("<local-command-stdout>Set model</local-command-stdout>"), "<local-command-stdout>Set model"),
        ({"type": "system", "subtype": "local_command", "content": "<command-name>/cost</command-name>"}, "/cost"),
        ({"type": "system", "subtype": "turn_duration", "durationMs": 1500}, "turn took 1.5 s"),
        ({"type": "system", "subtype": "informational", "content": "Unknown command: /x"}, "Unknown command: /x"),
        (user("a summary of before", isCompactSummary=True), "a summary of before"),
    ],
)
def test_program_messages_are_neither_prompt_nor_answer(record: dict[str, Any], shown: str) -> None:
    (frame,) = frames(record)
    assert frame.kind == "system"
    assert frame.text.startswith(shown)


def test_bash_mode_command_is_returned_as_typed() -> None:
    (frame,) = frames(user("<bash-input>ls -l</bash-input>"))
    assert (frame.kind, frame.text) == ("user", "!ls -l")


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b'{"type": 5}', b'{"type": "user"}',
        b'{"type": "user", "message": {"content": 5}}', b'{"type": "user", "message": "x"}',
        b'{"type": "user", "message": {"content": [5, {"type": "text"}, {"type": "tool_result"}]}}',
        b'{"type": "assistant", "message": {"content": [{"type": "text", "text": 5}], "usage": 3}}'[:-2],
        b'{"type": "assistant", "isSidechain": true, "message": {"content": [{"type": "text", "text": "x"}]}}',
        b'{"type": "user", "isMeta": true, "message": {"content": "Caveat"}}',
        b'{"type": "attachment", "attachment": {}}', b'{"type": "brand-new-record"}',
    ],
)  # fmt: skip
def test_malformed_unknown_and_nested_lines_are_ignored(line: bytes) -> None:
    assert not [frame for frame in AGENT.parse_frames(line, 1) if frame.kind in ("user", "assistant", "turn_end")]


def test_lone_surrogate_does_not_lose_the_line() -> None:
    line = b'{"type":"user","message":{"role":"user","content":"cut \\ud83d here"},"timestamp":"2026-11-21T02:07:24Z"}'
    made = AGENT.parse_frames(line, 1)
    assert kinds(made) == ["turn_start", "user"]
    assert made[1].text.startswith("cut ")
    made[1].text.encode("utf-8")


@pytest.mark.parametrize("stamp", ["", "yesterday", 5, None, "2026-13-41T00:00:00Z"])
def test_record_with_an_invalid_time_has_no_time(stamp: Any) -> None:
    assert frames(user("x", timestamp=stamp))[0].at == 0


@pytest.mark.parametrize(
    ("name", "status", "words", "kind"),
    [
        ("authentication_failed", None, "", "auth"),
        ("oauth_org_not_allowed", None, "", "auth"),
        ("billing_error", None, "Credit balance is too low", "billing"),
        ("rate_limit", 429, "API Error: Request rejected (429) · slow down", "rate_limit"),
        ("rate_limit", 429, "You've hit your weekly limit · resets 3am", "usage_limit"),
        ("rate_limit", None, "You're out of usage credits", "usage_limit"),
        ("server_error", 529, "API Error: Repeated 529 Overloaded errors", "overloaded"),
        ("server_error", 503, "API Error: 503", "server"),
        ("invalid_request", 400, "Prompt is too long", "too_long"),
        ("invalid_request", 400, "API Error: 400 malformed", "bad_request"),
        ("unknown", 403, "Please run /login · API Error: 403 no", "permission"),
        ("unknown", None, "API Error: Connection dropped (ECONNRESET).", "network"),
        ("unknown", None, "API Error: Request timed out.", "network"),
        ("model_not_found", 404, "There's an issue with the selected model (x).", "not_found"),
        ("unknown", 403, "API Error: 403 OAuth token has been revoked.", "auth"),
        ("unknown", 400, "API Error: 400 invalid_grant: Invalid refresh token", "auth"),
        ("unknown", None, "OAuth token has expired.", "auth"),
        ("", None, "something else", "unknown"),
    ],
)
def test_error_kind_does_not_depend_on_its_wording(name: str, status: Any, words: str, kind: str) -> None:
    assert classify_error(name, status, words) == kind


def test_long_answer_is_read_whole() -> None:
    words = "word " * 100_000 + "the conclusion"
    answer = frames(assistant(text(words)))[0]
    assert answer.text == words


@pytest.mark.parametrize("version", ["2.1.332", "2.1.197"])
def test_refusals_are_marked_with_their_kind(version: str) -> None:
    found = [(frame.reason, frame.text[:16]) for frame in recorded_frames(f"refused-{version}") if frame.reason]
    assert found == [
        ("prompt_blocked", "UserPromptSubmit"),
        ("prompt_blocked", "UserPromptSubmit"),
        ("prompt_blocked", "Operation stoppe"),
        ("command_unknown", "Unknown command:"),
    ]
