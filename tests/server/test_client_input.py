"""Messages of clients: prompts in order, answers to dialogs, interrupts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py.store import approval_log, session_records
from tests.core.live.test_feed import fill_transcript
from tests.polling import wait_until
from tests.server.test_sockets import identify
from tests.server_kit import RunningServer, SocketReader
from tests.session_harness import SessionHarness, make_chat


@pytest.fixture
def own(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[SessionHarness]:
    """Yield an idle chat of one test."""
    stage = SessionHarness(server.machine, f"lisa-in-{abs(hash(request.node.name)) % 10**6}").spawn()
    make_chat(stage.ref)
    yield stage
    stage.lisa("kill")


@pytest.fixture
def client(server: RunningServer, own: SessionHarness) -> Iterator[SocketReader]:
    """Yield a client of the chat that has read its history."""
    with server.connect(identify(own)) as reader:
        reader.read_until("session_status")
        yield reader


def test_prompts_are_delivered_in_order(client: SocketReader, own: SessionHarness) -> None:
    for number in range(3):
        client.send("prompt", text=f"[say reply-{number}]", prompt_id=f"p{number}")
    client.send("prompt", text="[say reply-0]", prompt_id="p0")
    shown = [client.read_until("user")["payload"] for _ in range(3)]
    assert [each["content"] for each in shown] == [f"[say reply-{number}]" for number in range(3)]
    assert [each["prompt_id"] for each in shown] == ["p0", "p1", "p2"]
    client.send("prompt", text="[say last]")
    assert client.read_until("user")["payload"] == {"content": "[say last]"}


def test_owner_attends_the_session_while_connected(server: RunningServer, own: SessionHarness) -> None:
    with server.connect(identify(own), token=server.read_key) as reader:
        reader.read_until("session_status")
        assert not session_records.is_attended(own.ref)
        with server.connect(identify(own)) as owner:
            owner.read_until("session_status")
            assert session_records.is_attended(own.ref)
        wait_until(lambda: not session_records.is_attended(own.ref))


def test_prompt_before_a_disconnect_is_delivered(server: RunningServer, own: SessionHarness) -> None:
    with server.connect(identify(own)) as reader:
        reader.send("prompt", text="[say kept]", prompt_id="p1")
    own.wait_for_text("● kept")
    with server.connect(identify(own)) as again:
        assert "'prompt_id': 'p1'" in str(again.read())
        again.send("prompt", text="[say kept]", prompt_id="p1")
        again.send("prompt", text="[say other]", prompt_id="p2")
        own.wait_for_text("● other")
    assert own.prompts() == ["[say kept]", "[say other]"]


@pytest.mark.parametrize(("word", "made"), [("y", True), ("YES", True), ("n", False)])
def test_plain_prompt_answers_a_dialog(client: SocketReader, own: SessionHarness, word: str, made: bool) -> None:
    client.send("prompt", text="[ask touch made] [say end]")
    asked = client.read_until("tool_approval_request")["payload"]["tool_use_id"]
    client.send("prompt", text="[say held]")
    client.send("prompt", text=word)
    client.send("tool_approval_response", tool_use_id=asked, approved=not made, approval_scope="once")
    decided = client.read_until("system", subtype="approval_decided")["payload"]
    assert (decided["decided_by"], decided["decision"]) == ("api", "approve" if made else "deny")
    state = str(own.machine.folder / "state")
    expected = ("api", "allow" if made else "deny", asked)
    wait_until(lambda: expected in [(each.by, each.decision, each.id) for each in approval_log.read(state) if each])
    assert client.read_until("user")["payload"]["content"] == "[say held]"
    client.read_until("result")
    assert (own.machine.project / "made").exists() is made
    assert own.prompts() == ["[ask touch made] [say end]", "[say held]"]
    assert not [frame for frame in client.frames if frame["type"] == "error"]
    (own.machine.project / "made").unlink(missing_ok=True)


def test_approval_by_response_with_a_message(client: SocketReader, own: SessionHarness) -> None:
    client.send("prompt", text="[ask touch no] [say end]")
    asked = client.read_until("tool_approval_request")["payload"]["tool_use_id"]
    client.send("tool_approval_response", tool_use_id=asked, approved=False, message="denied by CLI user")
    decided = client.read_until("system", subtype="approval_decided")["payload"]
    assert decided["tool_use_id"] == asked and "denied by CLI user" in decided["message"]
    assert not (own.machine.project / "no").exists()


def test_changed_input_is_run_instead(client: SocketReader, own: SessionHarness) -> None:
    client.send("prompt", text="[ask echo old] [say end]")
    asked = client.read_until("tool_approval_request")["payload"]["tool_use_id"]
    client.send("tool_approval_response", tool_use_id=asked, approved=True, updated_input={"command": "echo changed"})
    result = client.read_until("tool_result")["payload"]
    assert (result["tool_use_id"], result["content"]) == (asked, "changed\n")


@pytest.mark.parametrize(
    ("pattern", "notice"),
    [("", ""), ("shell", ""), ("Read", "the pattern Read does not cover this call and is ignored")],
)
def test_approval_for_the_session_asks_once(
    client: SocketReader, own: SessionHarness, pattern: str, notice: str
) -> None:
    client.send("prompt", text="[ask echo one] [ask echo two] [say end]")
    asked = client.read_until("tool_approval_request")["payload"]["tool_use_id"]
    more = {"approval_pattern": pattern} if pattern else {}
    client.send("tool_approval_response", tool_use_id=asked, approved=True, approval_scope="session", **more)
    client.read_until("result")
    own.wait_for_state("idle")  # the agent records the end of its turn first
    client.send("interrupt")  # taken after the decision has been reported
    client.read_until("system", subtype="interrupt_ignored")
    frames = [frame for frame in client.frames if frame["type"] != "history"]
    assert [each["payload"]["content"] for each in frames if each["type"] == "tool_result"] == ["one\n", "two\n"]
    assert [each["type"] for each in frames].count("tool_approval_request") == 1
    shown = {each["payload"]["subtype"]: each["payload"] for each in frames if each["type"] == "system"}
    assert shown["approval_decided"]["message"] == "approved (session) (by api)"
    assert shown.get("approval_notice", {}).get("message", "") == notice


def test_answer_after_a_key_in_the_pane_is_ignored(client: SocketReader, own: SessionHarness) -> None:
    client.send("prompt", text="[ask echo yes] [say end]")
    asked = client.read_until("tool_approval_request")["payload"]["tool_use_id"]
    pane = wait_until(lambda: own.ctx.find_pane(own.ref))
    own.ctx.server(own.ref).send_keys(str(pane.pane_id), ("1",))
    decided = client.read_until("system", subtype="approval_decided")["payload"]
    client.send("tool_approval_response", tool_use_id=asked, approved=False)
    client.send("prompt", text="[say next]")
    client.read_until("user", content="[say next]")
    assert decided["decided_by"] == "pane"
    assert not [frame for frame in client.frames if frame["type"] == "error"]


def test_answer_of_another_client_is_no_prompt(server: RunningServer, own: SessionHarness) -> None:
    with server.connect(identify(own)) as first, server.connect(identify(own)) as second:
        first.send("prompt", text="[choose Colour? | red | blue]")
        asked = first.read_until("ask_user_question")["payload"]
        second.read_until("ask_user_question")
        second.send("prompt", text="blue")
        assert first.read_until("system", subtype="approval_decided")["payload"]["tool_use_id"] == asked["question_id"]
        first.send("ask_user_question_response", question_id=asked["question_id"], answers={"Colour?": "red"})
        first.send("prompt", text="[say next]")
        own.wait_for_text("● next")
    assert own.prompts() == ["[choose Colour? | red | blue]", "[say next]"]
    assert not [frame for frame in first.frames + second.frames if frame["type"] == "error"]


def test_question_is_answered_by_its_key(client: SocketReader, own: SessionHarness) -> None:
    client.send("prompt", text="[choose Colour? | red | blue] [say picked {last}]")
    asked = client.read_until("ask_user_question")["payload"]
    question = asked["questions"][0]
    key = question.get("header") or question["question"]
    client.send("ask_user_question_response", question_id=asked["question_id"], answers={key: "2"})
    decided = client.read_until("system", subtype="approval_decided")["payload"]
    assert (decided["decided_by"], decided["message"]) == ("api", "answered: 2 (by api)")


def test_interrupt_ends_the_turn(client: SocketReader, own: SessionHarness) -> None:
    client.send("interrupt")
    client.read_until("system", subtype="interrupt_ignored")
    client.send("prompt", text="[think 60] [say never]")
    own.wait_for_state("thinking")
    client.send("interrupt")
    client.read_until("system", subtype="interrupted")
    wait_until(lambda: own.status().agent_state in ("interrupted", "idle"), what="the turn has ended")


def test_waiting_prompts_are_limited_and_refusals_reported(client: SocketReader, own: SessionHarness) -> None:
    client.send("prompt", text=" \x1b\x00 ", prompt_id="blank")
    assert client.read_until("error")["payload"] | {"message": ""} == {
        "code": "prompt_rejected", "reason": "empty", "prompt_id": "blank", "message": ""
    }  # fmt: skip
    client.send("prompt", text="[ask touch x]")
    client.read_until("tool_approval_request")
    for number in range(21):
        client.send("prompt", text=f"held {number}", prompt_id=f"p{number}")
    refused = client.read_until("error")["payload"]
    assert (refused["reason"], refused["prompt_id"]) == ("too_many_held", "p20")
    assert own.prompts() == ["[ask touch x]"]


def test_exec_sessions_reject_prompts(server: RunningServer) -> None:
    stage = SessionHarness(server.machine, "lisa-exec-1").spawn("[think 60]", mode="exec")
    make_chat(stage.ref)
    with server.connect(identify(stage)) as reader:
        reader.read_until("session_status")
        reader.send("prompt", text="more", prompt_id="p1")
        refused = reader.read_until("error", code="prompt_rejected")["payload"]
        assert (refused["reason"], refused["prompt_id"]) == ("agent_not_interactive", "p1")
    stage.lisa("kill")


def test_prompt_for_an_ended_chat_is_rejected(server: RunningServer, own: SessionHarness) -> None:
    """A client sends its prompt before it has read that the session has ended."""
    found = identify(own)
    own.send("[say one]")
    own.wait_for_text("● one")
    fill_transcript(Path(own.agent_state()["transcript"]), 12, size=300_000)
    own.lisa("kill")
    with server.connect(found) as reader:
        reader.send("prompt", text="late", prompt_id="p1")
        assert reader.read_close() == 1000
    rejected = [frame["payload"] for frame in reader.frames if frame["type"] == "error"]
    assert [(each["reason"], each["prompt_id"]) for each in rejected] == [("session_ended", "p1")]
    assert reader.frames[-1]["type"] == "session_end"
