"""Typed answers that keep fields of a newer server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lisa_py.client import InvalidAnswerError, OtherFrame, calls, read_extra
from lisa_py.client.decoding import convert, convert_frame, decode_answer, decode_history
from lisa_py.contract.api_answers import ProfileObject
from lisa_py.contract.client_answers import CredentialsResult, SessionsResult
from lisa_py.contract.dialogs import DialogQuestion
from lisa_py.contract.live import FRAME_TYPES, AssistantPayload, DialogPayload, LiveFrame, QuestionPayload
from lisa_py.contract.session_object import SessionObject

SESSION: dict[str, Any] = {
    "id": "i", "session_id": "i", "name": "n", "status": "running", "session_type": "user", "agent": "a",
    "trigger_source": "chat", "created_at": "t", "num_turns": 1, "input_tokens": 2, "output_tokens": 3,
    "cache_read_tokens": 4, "cache_write_tokens": 5, "cost_estimated": False, "ui_state": "running",
    "needs_attention": False, "pending": {"approvals": 1, "questions": 0}, "workdir": "/w", "lisa_session": "lisa-n",
}  # fmt: skip


def test_fields_of_a_newer_server_are_kept() -> None:
    plain = {**SESSION, "mood": "good", "pending": {"approvals": 1, "others": 7}}
    found = calls.get_session("i").decode(msgspec.json.encode({"session": plain, "served_by": "x"}))
    assert isinstance(found, SessionObject)
    assert read_extra(found) == {"mood": "good"}
    assert found.mood == "good"  # type: ignore[attr-defined]
    assert (found.pending.approvals, read_extra(found.pending)) == (1, {"others": 7})


def test_fields_that_an_older_server_lacks_are_null() -> None:
    found = convert(SESSION, SessionObject)
    assert (found.owner_oid, found.tmux, found.allowed_tools, found.total_cost_usd) == (None, None, (), None)
    assert read_extra(found) == {}


def test_lists_and_maps_are_searched_for_further_fields() -> None:
    page = convert({"sessions": [{**SESSION, "x": 1}, SESSION], "next_cursor": "c"}, SessionsResult)
    assert [read_extra(each) for each in page.sessions] == [{"x": 1}, {}]
    listed = calls.get_credentials().decode(b'{"providers":{"openai":{"has_credentials":true,"masked":"sk-..9"}}}')
    assert read_extra(listed["openai"]) == {"masked": "sk-..9"}
    profile = convert({"id": "p", "name": "n", "is_default": True, "allowed_tools": ["Read"]}, ProfileObject)
    assert profile.allowed_tools == ("Read",)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"has_credentials": "yes"}', b'"text"', b"\xff"])
def test_other_answers_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidAnswerError):
        decode_answer(body, CredentialsResult)


def test_empty_answer_is_an_empty_object() -> None:
    assert decode_answer(b"", dict[str, Any]) == {}
    assert calls.delete_credentials().decode(b'{"success":true}').success


def test_frames_have_their_payloads() -> None:
    place = {"timestamp": "t", "session_id": "s", "cursor": "c"}
    frame = convert_frame({"type": "assistant", "payload": {"content": "hi", "mood": 1}, **place, "n": 1})
    assert isinstance(frame.payload, AssistantPayload)
    assert (frame.payload.content, read_extra(frame.payload), frame.cursor) == ("hi", {"mood": 1}, "c")
    question = {"question": "q", "options": [{"label": "l"}], "multiSelect": True}
    asked = convert_frame({"type": "ask_user_question", "payload": {"question_id": "1", "questions": [question]}})
    assert isinstance(asked.payload, QuestionPayload)
    assert isinstance(asked.payload.questions[0], DialogQuestion) and asked.payload.questions[0].multi_select


def test_every_type_of_frame_has_its_payload() -> None:
    choice = {"number": 1, "text": "Yes", "mood": 1}
    dialog = convert_frame({"type": "dialog", "payload": {"kind": "trust", "message": "m", "choices": [choice]}})
    assert isinstance(dialog.payload, DialogPayload)
    assert (dialog.payload.choices[0].text, read_extra(dialog.payload.choices[0])) == ("Yes", {"mood": 1})
    for kind, name in FRAME_TYPES.items():
        given = {
            "content": "", "id": "", "name": "", "tool_use_id": "", "subtype": "", "message": "", "success": True,
            "code": "", "status": "", "agent_state": "", "input_tokens": 1, "output_tokens": 1, "tool_name": "",
            "cached_tokens": 1, "question_id": "", "kind": "", "reason": "", "input": {}, "tool_input": {},
        }  # fmt: skip
        assert isinstance(convert_frame({"type": name, "payload": given}).payload, kind), name


@pytest.mark.parametrize(
    "plain", [{"type": "new"}, {"type": "user", "payload": {"content": 7}}, {"type": "user", "payload": []}, {}]
)
def test_no_frame_is_dropped(plain: dict[str, Any]) -> None:
    frame = convert_frame(plain)
    assert isinstance(frame, OtherFrame) and isinstance(frame, LiveFrame)
    given = plain.get("payload")
    assert (frame.type, frame.payload) == (plain.get("type", ""), given if isinstance(given, dict) else {})


def test_history_may_be_missing() -> None:
    assert decode_history(b"{}").messages == decode_history(b'{"messages":null}').messages == ()
    found = decode_history(b'{"messages":[{"type":"x"},7],"truncated":true,"new":1}')
    assert ([frame.type for frame in found.messages], found.truncated, read_extra(found)) == (["x"], True, {"new": 1})
