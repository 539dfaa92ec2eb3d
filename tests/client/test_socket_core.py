"""Bookkeeping of a socket without a network: each frame once and in order, reconnects, messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.client import OtherFrame, SocketHandlers, SocketOptions
from lisa_py.client import socket_core as core
from lisa_py.client.decoding import convert_frame
from lisa_py.client.socket_core import Loss, SocketCore
from lisa_py.contract.live import AssistantPayload, LiveFrame, StatusPayload

Plain = dict[str, Any]


def record(number: int) -> Plain:
    return {"type": "assistant", "payload": {"content": f"text {number}"}, "cursor": f"t.x.{number}.0"}


def status(word: str, cursor: str) -> Plain:
    return {"type": "session_status", "payload": {"status": word, "agent_state": word}, "cursor": cursor}


def approval(identity: str, cursor: str) -> Plain:
    payload = {"tool_use_id": identity, "tool_name": "Bash", "tool_input": {}}
    return {"type": "tool_approval_request", "payload": payload, "cursor": cursor}


def decided(identity: str, cursor: str) -> Plain:
    payload = {"subtype": "approval_decided", "message": "approved", "tool_use_id": identity}
    return {"type": "system", "payload": payload, "cursor": cursor}


def history(messages: list[Plain], **payload: Any) -> str:
    cursor = messages[-1]["cursor"] if messages else ""
    return json.dumps({"type": "history", "payload": {"messages": messages, **payload}, "cursor": cursor})


def text(frames: list[LiveFrame]) -> list[str]:
    return [frame.payload.content if isinstance(frame.payload, AssistantPayload) else frame.type for frame in frames]


def make(**options: Any) -> SocketCore:
    return SocketCore(SocketOptions(**options), jitter=lambda: 1.0)


def test_history_is_read_as_its_frames() -> None:
    socket = make()
    assert text(socket.read(history([record(1), record(2)], truncated=True))) == ["text 1", "text 2"]
    assert socket.cursor == "t.x.2.0"
    assert text(socket.read(history([]))) == [] and socket.cursor == "t.x.2.0"
    assert text(socket.read(json.dumps(record(3)))) == ["text 3"] and socket.cursor == "t.x.3.0"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "7",
        '{"type":7}',
        "{}",
        b"\xff",
        '{"type":"history"}',
        '{"type":"history","payload":{"messages":[7,{},{"type":[]}]}}',
    ],
)
def test_other_messages_are_not_frames(message: str | bytes) -> None:
    assert make().read(message) == []


def test_restarted_server_repeats_nothing() -> None:
    socket = make()
    socket.read(history([record(1), record(2)]))
    changed = {**record(2), "payload": {"content": "rewritten"}}
    assert text(socket.read(history([record(1), changed], reset="transcript_rewritten"))) == ["rewritten"]
    assert socket.reset == "transcript_rewritten"
    socket.read(history([]))
    assert socket.reset == ""


class Script:
    """A server with a fixed conversation that is killed at given points."""

    def __init__(self, frames: list[Plain]) -> None:
        self.frames = frames

    def connect(self, since: str, known: int) -> list[str]:
        """Return the messages of a connection that begins when `known` frames are recorded."""
        kept = [frame for frame in self.frames[:known] if frame["type"] == "assistant"]
        behind = [index for index, frame in enumerate(kept) if frame["cursor"] == since]
        newer = kept[behind[0] + 1 :] if behind else kept
        open_dialogs = {}
        for frame in self.frames[:known]:
            payload = frame["payload"]
            if frame["type"] == "tool_approval_request":
                open_dialogs[payload["tool_use_id"]] = frame
            if payload.get("subtype") == "approval_decided":
                open_dialogs.pop(payload["tool_use_id"], None)
        live = [json.dumps(each) for each in (*open_dialogs.values(), *self.frames[known:])]
        return [history(newer), *live]


@st.composite
def conversations(draw: st.DrawFn) -> list[Plain]:
    frames, number, dialogs = [], 0, 0
    for kind in draw(st.lists(st.sampled_from("rrrrd"), min_size=1, max_size=30)):
        if kind == "r":
            number += 1
            frames.append(record(number))
        elif number:
            dialogs += 1
            frames += [approval(f"d{dialogs}", f"t.x.{number}.0"), decided(f"d{dialogs}", f"t.x.{number}.0")]
    return frames


@settings(deadline=None)
@given(conversations(), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), max_size=8))
def test_frames_are_unique_and_ordered(frames: list[Plain], kills: list[tuple[int, int]]) -> None:
    """No text is lost for any messages before each end and any number of records between."""
    script, socket, seen = Script(frames), make(), []
    known = 0
    for arrived, recorded in [*kills, (10**6, 0)]:
        messages = script.connect(socket.cursor, min(known, len(frames)))
        for message in messages[:arrived]:
            seen += socket.read(message)
        known = min(len(frames), max(known, known + max(0, arrived - 1)) + recorded)
    recorded_text = [frame["payload"]["content"] for frame in frames if frame["type"] == "assistant"]
    assert [each for each in text(seen) if each.startswith("text")] == recorded_text
    dialogs = [core.read_field(frame, "tool_use_id") for frame in seen if frame.type == "tool_approval_request"]
    assert len(dialogs) == len(set(dialogs))


# -- reconnects ----------------------------------------------------------------------------------------------------


def test_token_is_renewed_once_in_a_row() -> None:
    for loss in (Loss(code=4001), Loss(status=401)):
        socket = make()
        assert [socket.choose_delay(loss, can_renew=True) for _ in range(2)] == [0.0, None]
        assert socket.choose_delay(Loss(code=4001, seconds=3600), can_renew=True) == 0.0


def test_nothing_follows_the_end_of_the_session() -> None:
    socket = make()
    socket.read(json.dumps({"type": "session_end", "payload": {"reason": "completed"}}))
    assert socket.has_ended and socket.choose_delay(Loss()) is None
    assert make(auto_reconnect=False).choose_delay(Loss()) is None


# -- messages and handlers -----------------------------------------------------------------------------------------


def test_messages_to_the_server() -> None:
    asked = convert_frame(approval("t1", "c"))
    assert json.loads(core.encode("interrupt")) == {"type": "interrupt"}
    assert json.loads(core.encode_prompt("hi")) == {"type": "prompt", "payload": {"text": "hi"}}
    assert json.loads(core.encode_prompt("hi", "p"))["payload"] == {"text": "hi", "prompt_id": "p"}
    assert json.loads(core.encode_approval(asked, approved=True)) == {
        "type": "tool_approval_response",
        "payload": {"tool_use_id": "t1", "approved": True, "approval_scope": "once"},
    }
    given = core.encode_approval("t2", approved=True, scope="session", pattern="Bash(git:*)", updated_input={"a": 1})
    assert json.loads(given)["payload"] == {
        "tool_use_id": "t2", "approved": True, "approval_scope": "session", "approval_pattern": "Bash(git:*)",
        "updated_input": {"a": 1},
    }  # fmt: skip
    assert json.loads(core.encode_approval("t", approved=False, message="no"))["payload"]["message"] == "no"


def test_answers_by_header_and_in_order() -> None:
    questions = [{"question": "Which?", "header": "Kind", "options": [{"label": "A"}]}, {"question": "Why?"}]
    asked = convert_frame({"type": "ask_user_question", "payload": {"question_id": "q", "questions": questions}})
    by_order = json.loads(core.encode_answers(asked, ["A", "so"]))
    by_name = json.loads(core.encode_answers("q", {"Kind": "A", "Why?": "so"}))
    assert by_order == by_name
    assert by_name["payload"] == {"question_id": "q", "answers": {"Kind": "A", "Why?": "so"}}
    with pytest.raises(ValueError, match="2 questions, not 1"):
        core.encode_answers(asked, "A")
    with pytest.raises(ValueError, match="give the answers by header"):
        core.encode_answers("q", "A")
    with pytest.raises(ValueError, match="has no tool_use_id"):
        core.encode_approval(asked, approved=True)


def test_handlers_by_type() -> None:
    called: list[str] = []

    def note(name: str) -> Any:
        return lambda item: called.append(f"{name} {item if isinstance(item, str) else item.type}")

    names = [name for name in SocketHandlers.__struct_fields__ if name != "on_message"]
    handlers = SocketHandlers(on_message=note("all"), **{name: note(name) for name in names})
    kinds = ["assistant", "tool_use", "tool_result", "user", "system", "result", "error", "session_end",
             "tool_approval_request", "ask_user_question", "session_status"]  # fmt: skip
    for kind in kinds:
        for handler in handlers.choose(OtherFrame(type=kind, payload={}, timestamp="", session_id="", cursor="")):
            handler()
    for handler in handlers.choose("connected"):
        handler()
    assert [each for each in called if not each.startswith("all")] == [
        "on_assistant assistant", "on_tool_use tool_use", "on_tool_result tool_result", "on_user user",
        "on_system system", "on_result result", "on_error error", "on_session_end session_end",
        "on_approval tool_approval_request", "on_question ask_user_question", "on_connection_change connected",
    ]  # fmt: skip
    assert len([each for each in called if each.startswith("all")]) == len(kinds)
    assert SocketHandlers().choose("connected") == []


def test_status_frames_keep_their_type() -> None:
    frames = make().read(json.dumps(status("working", "c")))
    assert isinstance(frames[0].payload, StatusPayload)
