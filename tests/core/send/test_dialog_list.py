"""core/send/dialog_list: content of a dialog, also if its hook omitted the input."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from lisa_py import agents
from lisa_py.contract.dialogs import OpenDialog, PermissionCall
from lisa_py.contract.frames import Frame
from lisa_py.core.send import dialog_list
from lisa_py.store.dialogs import HookedDialog
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost

QUESTION = {"questions": [{"question": "Which?", "options": [{"label": "a"}]}]}


def use(tool: str, given: Any, use_id: str) -> Frame:
    return Frame(kind="tool_use", tool=tool, tool_id=use_id, input=given)


def build(machine: LisaHost, payload: dict[str, Any], *frames: Frame, use_id: str = "") -> OpenDialog:
    ref: SessionRef = machine.context().ref("lisa-a", str(machine.project))
    hooked = HookedDialog(key="1.5-7", at=1.5, pid=7, payload=payload)
    call = PermissionCall(key="1.5-7", at=1.5, tool_name="", tool_input=None, tool_use_id=use_id)
    return dialog_list._build_hooked(ref, agents.get("claude"), hooked, call, frames).dialog


def test_input_over_the_limit_comes_from_the_transcript(machine: LisaHost) -> None:
    cut = {"tool_name": "Write", "cut": True}
    frames = (use("Write", {"path": "/x"}, "A"), use("Write", {"path": "/y"}, "B"))
    found = build(machine, cut, *frames, use_id="B")
    assert (found.id, found.tool_input, found.message) == ("B", {"path": "/y"}, "Write: /y")
    asked = build(machine, {"tool_name": "AskUserQuestion", "cut": True}, use("AskUserQuestion", QUESTION, "Q"))
    assert (asked.id, asked.kind, asked.message) == ("Q", "question", "Which?")
    assert build(machine, cut).id == "1.5-7"
    early = build(machine, cut, frames[0], use_id="B")  # its record is not written yet
    assert (early.id, early.tool_input) == ("B", UNSET)


def test_call_without_an_id_is_found_by_its_input(machine: LisaHost) -> None:
    payload = {"tool_name": "Bash", "tool_input": {"command": "b"}}
    frames = (use("Bash", {"command": "a"}, "A"), use("Bash", {"command": "b"}, "B"))
    done = Frame(kind="tool_result", tool_id="B")
    assert build(machine, payload, *frames).id == "B"
    assert build(machine, payload, frames[0], frames[1], done).id == "A"  # the only one that is open
    assert build(machine, payload, *frames).message == "Bash: b"


def test_completed_call_is_not_the_subject_of_a_dialog() -> None:
    calls = {"1.5-7": PermissionCall(key="1.5-7", at=1.5, tool_name="Bash", tool_input=None, tool_use_id="B")}
    frames = (use("Bash", {"command": "b"}, "B"), Frame(kind="tool_result", tool_id="B"))
    assert dialog_list._find_newest_call(calls, frames[:1]) is calls["1.5-7"]
    assert dialog_list._find_newest_call(calls, frames) is None
