"""lisa session outbox list, and the delivery of the texts in it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from lisa_py import Lisa, LisaError
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.outbox import queue
from lisa_py.core.outbox.delivery import EVIDENCE_SECONDS
from lisa_py.host import processes
from lisa_py.store import events, outbox_records
from lisa_py.store.outbox_records import Outbox, OutboxText
from tests.commands.session.outbox.outbox_stage import OutboxStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until


@pytest.fixture
def stage(machine: LisaHost) -> OutboxStage:
    stage = OutboxStage(machine)
    stage.spawn()
    return stage


def is_running(pid: int) -> bool:
    return processes.read_process(pid, argv=False) is not None


def test_texts_keep_their_order(stage: OutboxStage, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = stage.queue(f"[wait {go}][say one]", "now")
    stage.wait_for(first, "accepted")
    second, third = stage.queue("[say two]"), stage.queue("[say three]", "now")
    listed = stage.lisa("outbox list").json
    assert [(each["id"], each["state"]) for each in listed["texts"]][1:] == [(second, "queued"), (third, "queued")]
    go.touch()
    assert stage.wait_for(third, "answered").ended == "completed"
    assert stage.prompts() == [f"[wait {go}][say one]", "[say two]", "[say three]"]
    assert stage.states() == ["answered"] * 3
    wait_until(lambda: not os.path.exists(stage.ref.file(outbox_records.SCRIPT)), what="the process has ended")
    assert stage.lisa("outbox list", "--open").json["count"] == 0
    assert "answered  now  [say three]" in stage.machine.lisa("session", "outbox", "list", "--session", stage.name).out


def test_text_waits_for_the_end_of_the_turn(stage: OutboxStage, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stage.send(f"[wait {go}]")
    identity = stage.queue("[say after]", "turn-end")
    stage.wait_until_waiting(identity, "turn")
    go.touch()
    stage.wait_for(identity, "answered")


def test_text_waits_for_the_draft_of_a_person(stage: OutboxStage) -> None:
    stage.type("half a thought")
    identity = stage.queue("[say mine]", "now")
    stage.wait_until_waiting(identity, "input_not_empty")
    stage.press("Enter")
    stage.wait_for(identity, "answered")
    assert stage.prompts() == ["half a thought", "[say mine]"]


def test_a_text_expires(stage: OutboxStage) -> None:
    stage.type("half a thought")
    identity = stage.queue("[say mine]", "now", "--expire-seconds", "1")
    stage.wait_for(identity, "expired")
    assert "half a thought" in stage.screen()
    assert stage.prompts() == []


def test_an_ended_session_fails_its_texts(stage: OutboxStage) -> None:
    stage.send("[think 600]")
    first, second = stage.queue("[say one]"), stage.queue("[say two]")
    assert stage.lisa("kill").code == 0
    listed = stage.lisa("outbox list").json["texts"]
    assert [(each["id"], each["state"]) for each in listed] == [(first, "failed"), (second, "failed")]
    assert {each["errorCode"] for each in listed} == {"agent_not_running"}
    wait_until(lambda: stage.states() == ["failed", "failed"], what="recorded by the process")
    stage.spawn()
    assert stage.prompts() == []


def test_killed_delivery_is_continued(stage: OutboxStage) -> None:
    stage.type("half a thought")
    identity = stage.queue("[say mine]", "now")
    stage.wait_until_waiting(identity, "input_not_empty")
    pid = stage.deliverer()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))
    stage.press("Enter")
    stage.wait_for(identity, "answered")  # the heartbeat has started another process
    assert stage.prompts() == ["half a thought", "[say mine]"]


def test_kills_at_any_moment_lose_and_repeat_nothing(stage: OutboxStage) -> None:
    texts = [f"[say number {number}]" for number in range(6)]
    ids = [stage.queue(text, "now") for text in texts]
    for delay in (0.0, 0.05, 0.2, 0.4):
        pid = wait_until(lambda: stage.deliverer(), what="a process delivers")
        seen = time.monotonic()
        wait_until(lambda: time.monotonic() - seen >= delay)  # noqa: B023 - called at once
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_running(pid))  # noqa: B023
        if not stage.find(ids[-1]).is_over:
            queue.start_delivery(stage.ref)
    for identity in ids:
        stage.wait_for(identity, "answered")
    assert stage.prompts() == texts


def begin_and_die(stage: OutboxStage, text: str) -> str:
    """Leave the records of a delivering process that was killed after it had begun to type."""
    now = stage.ctx.clock.now()
    with SessionFeed(stage.ctx, stage.ref) as feed:
        list(feed.history())
        cursor = feed.position.encode()
    known = OutboxText(
        id="text-begun",
        text=text,
        when="now",
        state="pasted",
        session_id=queue.find_identity(stage.ctx, stage.ref),
        queued_at=now,
        begun_at=now - EVIDENCE_SECONDS,
        cursor=cursor,
    )
    with outbox_records.registry(stage.ref).change(stage.ctx.settings, now) as opened:
        queue._write_script(stage.ctx, stage.ref)
        opened.content.texts.append(known)
    return known.id


@pytest.mark.parametrize("step", ["nothing typed", "typed", "submitted", "answered", "joined"])
def test_a_killed_delivery_is_resolved(stage: OutboxStage, step: str) -> None:
    identity = begin_and_die(stage, "[say mine]")
    if step != "nothing typed":
        stage.type("[say mine]")
    if step == "joined":
        stage.type(" and more")
    if step in ("submitted", "answered", "joined"):
        stage.press("Enter")
    if step == "answered":
        stage.wait_for_text("● mine")
    queue.start_delivery(stage.ref)
    if step == "joined":
        assert stage.wait_for(identity, "failed").error_code == "prompt_joined"
        assert stage.prompts() == ["[say mine] and more"]
        return
    stage.wait_for(identity, "answered")
    assert stage.prompts() == ["[say mine]"]


def test_changed_remainder_is_a_draft(stage: OutboxStage) -> None:
    identity = begin_and_die(stage, "[say mine]")
    stage.type("[say mine] and more")
    queue.start_delivery(stage.ref)
    stage.wait_until_waiting(identity, "input_not_empty")
    assert stage.prompts() == []


def test_a_command_gives_no_receipt(machine: LisaHost) -> None:
    stage = OutboxStage(machine)
    stage.run("cat")
    refused = stage.lisa("send", "--text", "x", "--when", "idle")
    assert (refused.code, refused.json["errorCode"]) == (1, "no_conversation")
    identity = stage.queue("hello", "now")
    wait_until(lambda: stage.find(identity).is_over)
    assert stage.find(identity).state == "pasted"
    stage.wait_for_text("hello\nhello")


def test_a_text_of_another_session_is_marked(stage: OutboxStage) -> None:
    inside = {"LISA_SESSION_NAME": "lisa-asker"}
    first = stage.queue("[say a]", "now", env=inside)
    second = stage.queue("[say b]", "now", "--verbatim", env=inside)
    stage.wait_for(second, "answered")
    assert stage.find(first).sender == "lisa-asker"
    assert [text.startswith("Message of the agent in session lisa-asker") for text in stage.prompts()] == [True, False]
    sent = [each for each in events.read_tail(stage.ref, 20).events if each.reason == "send_text"]
    assert [each.detail["from"] for each in sent] == ["lisa-asker"] * 2


def test_an_outbox_keeps_the_newest_texts() -> None:
    over = [OutboxText(id=str(number), text="x", when="now", over_at=1.0) for number in range(250)]
    outbox = Outbox(texts=[OutboxText(id="open", text="x", when="now"), *over])
    outbox.trim()
    assert [outbox.texts[0].id, outbox.texts[1].id, len(outbox.texts)] == ["open", "50", 201]


def test_a_refused_text_leaves_those_before_it(stage: OutboxStage, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stage.send(f"[wait {go}]")
    session = Lisa(str(stage.machine.project), environ=stage.machine.env).session(stage.name)
    good = session.queue("[say good]")
    request = queue.OutboxRequest(text="bad", when="idel")  # type: ignore[arg-type]
    with pytest.raises(LisaError, match="nothing was changed") as raised:
        queue.add_text(stage.ctx, stage.ref, request)
    assert raised.value.code == "outbox_write_failed"
    with pytest.raises(LisaError) as raised:
        session.queue("bad", message_id="\ud800")
    assert raised.value.code == "outbox_write_failed"
    broken = session.queue("[say a\ud800\udcffb]")
    assert [each.text for each in session.outbox()][-2:] == ["[say good]", "[say a\ufffd\ufffdb]"]
    go.touch()
    stage.wait_for(good.id, "answered")
    stage.wait_for(broken.id, "answered")
