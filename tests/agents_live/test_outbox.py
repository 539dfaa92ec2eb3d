"""Texts of the outbox at the real claude and codex."""

from __future__ import annotations

import os
import signal

import pytest

from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.outbox import queue
from lisa_py.store import outbox_records
from lisa_py.store.outbox_records import OutboxText
from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


def read_texts(stage: LiveSessionHarness) -> list[OutboxText]:
    return outbox_records.registry(stage.ref).read().texts


def test_texts_wait_for_the_agent(stage: LiveSessionHarness) -> None:
    stage.begin()
    stage.send("[fake gate go then text before]")
    wait_until(lambda: stage.status().session_state == "in_progress")
    for number in (1, 2):
        queued = stage.lisa("send", "--text", f"[fake text reply {number}]", "--when", "idle")
        assert queued.json["outboxState"] == "queued", queued
    wait_until(lambda: read_texts(stage)[0].waiting_for == "turn")
    with open(stage.ref.file(outbox_records.PID_FILE)) as file:
        os.kill(int(file.read()), signal.SIGKILL)
    stage.api.open("go")
    wait_until(lambda: [each.state for each in read_texts(stage)] == ["answered"] * 2, timeout=60)
    frames = [each for each in stage.lisa("history").json["frames"] if each["type"] == "user"]
    contents = [each["payload"]["content"] for each in frames]
    assert contents[-3:] == ["[fake gate go then text before]", "[fake text reply 1]", "[fake text reply 2]"]


@pytest.mark.parametrize("lines", [1, 12])
def test_text_typed_by_a_killed_process_is_sent_once(stage: LiveSessionHarness, lines: int) -> None:
    text = "[fake text mine]" + "\nof several lines" * (lines - 1)
    stage.begin()
    assert stage.lisa("send", "--text", "[fake text first]", "--enter").code == 0
    wait_until(lambda: stage.status().session_state == "waiting_input")
    now = stage.ctx.clock.now()
    with SessionFeed(stage.ctx, stage.ref) as feed:
        list(feed.history())
        begun = OutboxText(
            id="begun",
            text=text,
            when="now",
            state="pasted",
            session_id=queue.find_identity(stage.ctx, stage.ref),
            queued_at=now,
            begun_at=now,
            cursor=feed.position.encode(),
        )
    server = stage.ctx.server(stage.ref)
    pane = server.find_pane(stage.name)
    assert pane is not None
    assert server.paste(pane.pane_id, text.encode()) == "ok"
    with outbox_records.registry(stage.ref).change(stage.ctx.settings, now) as opened:
        opened.content.texts.append(begun)
    assert stage.lisa("send", "--text", "[fake text next]", "--when", "now").code == 0
    wait_until(lambda: [each.state for each in read_texts(stage)] == ["answered"] * 2, timeout=60)
    frames = [each for each in stage.lisa("history").json["frames"] if each["type"] == "user"]
    assert [each["payload"]["content"] for each in frames][-2:] == [text, "[fake text next]"]
