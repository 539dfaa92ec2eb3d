"""Frames of dialogs."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from msgspec import structs

from lisa_py.contract.dialogs import OpenDialog
from lisa_py.contract.status import DialogChoice
from lisa_py.core.context import Context
from lisa_py.core.live.dialog_frames import DialogReporter, rename_keys
from lisa_py.core.send import decision, dialog_list, open_dialog
from lisa_py.core.status import status_reader
from lisa_py.store import dialogs
from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until


def make_dialog(identity: str) -> OpenDialog:
    return OpenDialog(session="lisa-a", project_root="/p", id=identity, kind="permission", way="screen", since="")


def test_late_hook_record_keeps_the_dialog_id() -> None:
    shown, hooked, other = make_dialog("t1"), make_dialog("t1"), make_dialog("t2")
    assert rename_keys({"permission-1": shown}, {"hook-1": hooked}) == {"hook-1": shown}
    assert rename_keys({"permission-1": shown}, {"hook-2": other}) == {"permission-1": shown}
    assert rename_keys({"hook-1": shown}, {"hook-1": hooked, "hook-2": other}) == {"hook-1": shown}
    assert rename_keys({}, {"hook-1": hooked}) == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tool_input": {"command": "ls"}}, False),
        ({"way": "hook"}, False),
        ({"choices": (DialogChoice(number=1, text="Yes"),)}, False),
        ({}, True),
        ({"kind": "trust", "tool_input": {"command": "ls"}}, True),
    ],
    ids=["call", "hook", "drawn", "unknown call", "other kind"],
)
def test_screen_is_read_for_unknown_choices_only(fields: dict[str, Any], expected: bool) -> None:
    assert DialogReporter.is_undrawn(structs.replace(make_dialog("t1"), **fields)) is expected


def test_dialog_that_is_not_drawn_yet_delays_nothing(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = DialogStage(machine)
    stage.spawn()
    stage.ask("[ask touch x]")
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(stage.ref))
    evidence, status = status_reader.read_with_evidence(stage.ctx, stage.ref)
    looks: list[str] = []
    monkeypatch.setattr(Context, "pause", lambda ctx, seconds: pytest.fail("waits"))
    monkeypatch.setattr(open_dialog, "add_dialog", lambda ctx, ref, status, pane: looks.append("look") or status)
    reporter = DialogReporter(stage.ctx, stage.ref)
    reporter.read(evidence, structs.replace(status, waiting_for="trust"))
    (found,) = reporter.list_unreported()
    assert found.kind == "trust" and reporter.is_undrawn(found)
    assert looks == ["look"]
    reporter.read(evidence, structs.replace(status, waiting_for="permission", state_detail=""))
    assert looks == ["look"]  # its call is known


def test_dialog_is_open_until_its_decision_is_pressed(machine: LisaHost) -> None:
    stage = DialogStage(machine)
    stage.spawn()
    stage.ask("[ask touch x]")
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(stage.ref))
    reporter = DialogReporter(stage.ctx, stage.ref)
    reporter.read(*status_reader.read_with_evidence(stage.ctx, stage.ref))
    assert len(list(reporter.open_all())) == 1
    (shown,) = stage.lisa("dialogs").json["dialogs"]
    key = dialog_list.find_dialogs(stage.ctx, stage.ref, *status_reader.read_with_evidence(stage.ctx, stage.ref))[0].key
    record = decision.build_record(stage.ctx, "approve", "api", "screen", "approved")
    assert dialogs.decide(stage.ref, key, record)  # this process is about to press it
    assert stage.lisa("dialogs").json["dialogs"] == []
    reporter.read(*status_reader.read_with_evidence(stage.ctx, stage.ref))
    assert list(reporter.close_gone()) == []
    dialogs.withdraw(stage.ref, key)
    assert stage.lisa("approve", "--id", shown["id"]).json["ok"] is True
    stage.wait_for_state("idle")
    reporter.read(*status_reader.read_with_evidence(stage.ctx, stage.ref))
    (closed,) = reporter.close_gone()
    assert closed.decision == "approve"  # type: ignore[union-attr]


def test_dialog_shown_before_its_hook_is_decided_once(machine: LisaHost) -> None:
    """On a slow machine the dialog is reported from the screen, and answered by its hook before the next look."""
    stage = DialogStage(machine)
    stage.spawn()
    stage.ask("[ask echo yes] [say done]")
    evidence, status = status_reader.read_with_evidence(stage.ctx, stage.ref)
    (found,) = dialog_list.find_dialogs(stage.ctx, stage.ref, evidence, status)
    reporter = DialogReporter(stage.ctx, stage.ref)
    reporter.read(evidence, status)
    shown = structs.replace(found.dialog, way="screen")
    reporter._reported = {"permission-of-the-screen": shown}
    assert stage.lisa("approve").json["way"] == "hook"
    assert stage.wait_for_result() == ("yes", False)
    assert shown.tool_use_id
    (closed,) = reporter.close_for(shown.tool_use_id)
    assert (closed.decision, closed.decided_by) == ("approve", "cli")  # type: ignore[union-attr]
    assert reporter.list_unreported() == [] and list(reporter.open_all()) == []
    reporter.read(evidence, status)  # the record of the hook is still there
    assert reporter.list_unreported() == [] and list(reporter.close_gone()) == []
