"""A real agent works in the worktree of its session: no trust dialog, its own conversation, back after a loss."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lisa_py.host import processes
from lisa_py.store import session_records
from tests.agents_kit import Pin, pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.repository import Repository

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("pin", pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def test_trust_of_the_main_checkout_covers_it(machine: LisaHost, api: FakeModelApi, pin: Pin) -> None:
    Repository(machine).create()
    stage = LiveSessionHarness(machine, api, pin.agent, permission="bypass", version=pin.version)
    stage.begin("", "--worktree")
    path = Path(f"{machine.project}.lisa") / stage.name
    assert stage.send("[fake tool pwd -P >where then text over]").code == 0
    wait_until(lambda: "over" in stage.transcript(), timeout=60, what="the transcript of the worktree is found")
    stage.wait_until_idle()
    assert (path / "where").read_text().strip() == str(path)
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    os.kill(meta.server_pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(meta.pane_pid, meta.pane_started), timeout=30)
    Path(meta.socket_path).unlink(missing_ok=True)
    resumed = stage.lisa("resume").json["resumed"][0]
    assert resumed["method"] == "conversation"
    stage.wait_until_idle()
    assert stage.send("[fake text again]").code == 0
    wait_until(lambda: "again" in stage.transcript(), timeout=60, what="the conversation goes on")
    ended = stage.lisa("kill").json["worktrees"][0]
    assert ended["reason"] == "1 file is not committed"
    assert (path / "where").exists()
