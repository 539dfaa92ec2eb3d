"""The reply to one prompt, collected from frames."""

from __future__ import annotations

from lisa_py.contract.live import (
    ApprovalPayload,
    AssistantPayload,
    DialogPayload,
    ErrorPayload,
    LiveFrame,
    Payload,
    ResultPayload,
    SessionEndPayload,
    StatusPayload,
    SystemPayload,
    ToolResultPayload,
    ToolUsePayload,
    UsagePayload,
    UserPayload,
)
from lisa_py.core.live.translation import build_frame
from lisa_py.core.live.turn_reply import ReplyUsage, TurnReply

END = ResultPayload(success=True, subtype="completed", duration_ms=7)


def frames(*payloads: Payload) -> list[LiveFrame]:
    return [build_frame(payload, 1.0, "id", f"p.{number}.0") for number, payload in enumerate(payloads, 1)]


def collect(*payloads: Payload, prompt: str = "mine") -> TurnReply:
    reply = TurnReply(prompt)
    for frame in frames(*payloads):
        reply.add(frame)
    return reply


def test_only_the_turn_of_the_prompt_counts() -> None:
    reply = collect(
        AssistantPayload(content="earlier"),
        UserPayload(content="of another"),
        AssistantPayload(content="not mine"),
        UsagePayload(input_tokens=100, output_tokens=100, cached_tokens=0),
        END,
        UserPayload(content="mine"),
        AssistantPayload(content="first"),
        ToolUsePayload(id="1", name="Bash", input={"command": "ls"}),
        ToolResultPayload(tool_use_id="1", content="no", is_error=True),
        UsagePayload(input_tokens=2, output_tokens=3, cached_tokens=1),
        AssistantPayload(content="last"),
        UsagePayload(input_tokens=4, output_tokens=5, cached_tokens=0),
        END,
        UserPayload(content="of another"),
        AssistantPayload(content="later"),
    )
    assert (reply.ended, reply.text, reply.whole_text, reply.duration_ms) == ("completed", "last", "first\n\nlast", 7)
    assert [(each.name, each.failed) for each in reply.tools] == [("Bash", True)]
    assert reply.usage == ReplyUsage(input_tokens=6, output_tokens=8, cached_tokens=1, model_calls=2)
    assert reply.cursor == "p.13.0"


def test_a_prompt_within_the_turn_does_not_end_it() -> None:
    reply = collect(
        UserPayload(content="mine"),
        AssistantPayload(content="one"),
        UserPayload(content="in between", queued=True),
        AssistantPayload(content="two"),
        END,
    )
    assert reply.text == "one\n\ntwo"


def test_text_before_the_last_call_is_kept_if_none_follows() -> None:
    reply = collect(
        UserPayload(content="mine"), AssistantPayload(content="one"), ToolUsePayload(id="1", name="Bash", input={}), END
    )
    assert (reply.text, reply.whole_text) == ("one", "one")


def test_each_end_has_its_name() -> None:
    begun = UserPayload(content="mine\n more")
    for payloads, ended in (
        ((ResultPayload(success=False, subtype="failed"),), "failed"),
        ((ErrorPayload(code="agent_server", message="500"), END), "failed"),
        ((ResultPayload(success=False, subtype="interrupted"),), "interrupted"),
        ((SystemPayload(subtype="interrupted", message="x"),), "interrupted"),
        ((ApprovalPayload(tool_use_id="1", tool_name="Bash", tool_input={}),), "dialog"),
        ((SessionEndPayload(reason="failed"),), "session_ended"),
        ((ResultPayload(success=True, subtype="turn_duration", duration_ms=5),), ""),
    ):
        assert collect(begun, *payloads, prompt="mine  more").ended == ended, payloads
    assert collect(SessionEndPayload(reason="failed")).ended == "session_ended"
    assert collect(ApprovalPayload(tool_use_id="1", tool_name="Bash", tool_input={})).ended == ""


def test_prompt_is_matched_in_the_form_of_the_agent() -> None:
    mark = r"\[Image #\d+\]"
    for prompt, shown, is_own in (
        ("see\u200b this", "see this", True),
        ("/tmp/a b.png", "[Image #3]", True),
        ("'/tmp/a.jpeg' and", "[Image #1] and", True),
        ("say", "[Image #3]", False),
        ("/tmp/a.png", "[Image #1] of another", False),
        ("two /a.png", "one [Image #1]", False),
    ):
        reply = TurnReply(prompt, image_mark=mark)
        for frame in frames(UserPayload(content=shown)):
            reply.add(frame)
        assert reply.has_begun is is_own, (prompt, shown)


def test_a_command_begins_with_its_record_and_may_stay_idle() -> None:
    idle = StatusPayload(status="waiting_input", agent_state="idle", waiting_for="prompt")
    cleared = collect(idle, SystemPayload(subtype="message", message="/clear"), prompt="/clear")
    assert (cleared.has_begun, cleared.is_idle, cleared.is_command) == (True, True, True)
    assert collect(SystemPayload(subtype="message", message="mine")).has_begun is False


def test_a_dialog_before_the_prompt_ends_the_wait() -> None:
    reply = collect(DialogPayload(kind="dialog", message="Select model", id="d1"), prompt="/model")
    assert reply.ended == "dialog"
    assert reply.dialog == DialogPayload(kind="dialog", message="Select model", id="d1")


def test_idle_agent_without_an_end_record_ends_the_wait() -> None:
    idle = StatusPayload(status="waiting_input", agent_state="idle", waiting_for="prompt")
    assert collect(idle, UserPayload(content="of another")).is_idle is True
    assert collect(idle, UserPayload(content="mine")).is_idle is False  # until it is idle again
    reply = collect(UserPayload(content="mine"), AssistantPayload(content="one"), idle)
    assert (reply.is_idle, reply.ended) == (True, "")
    busy = StatusPayload(status="in_progress", agent_state="thinking")
    assert collect(UserPayload(content="mine"), idle, busy).is_idle is False
