"""session approve: one decision per dialog, by the waiting hook or on the screen."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from msgspec import structs

from lisa_py.contract.dialogs import DialogDecision
from lisa_py.contract.errors import LisaError
from lisa_py.core.lifecycle import launch
from lisa_py.core.send import answer
from lisa_py.store import dialogs
from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until


@pytest.fixture
def stage(machine: LisaHost) -> DialogStage:
    made = DialogStage(machine)
    made.spawn()
    return made


def test_approval_reaches_the_waiting_hook(stage: DialogStage) -> None:
    (dialog,) = stage.ask("[ask echo yes] [say done]").list_open()
    assert (dialog["kind"], dialog["way"], dialog["toolInput"]) == ("permission", "hook", {"command": "echo yes"})
    answered = stage.lisa("approve")
    assert answered.code == 0, answered
    assert answered.json["id"] == dialog["id"] == dialog["toolUseId"]
    assert (answered.json["way"], answered.json["delivered"], answered.json["scope"]) == ("hook", True, "once")
    assert stage.wait_for_result() == ("yes", False)
    again = stage.lisa("approve", "--id", dialog["id"])
    assert (again.code, again.json["errorCode"]) == (1, "dialog_already_answered")
    assert (again.json["decidedBy"], again.json["decision"]) == ("cli", "approve")
    assert stage.lisa("approve").json["errorCode"] == "no_dialog"
    assert stage.lisa("approve", "--id", "other").json["errorCode"] == "no_dialog"


def test_approval_for_the_session_covers_the_next_call(stage: DialogStage) -> None:
    stage.ask("[ask echo one] [ask echo two] [say done]")
    assert stage.lisa("approve", "--scope", "session", "--json-min").code == 0
    wait_until(lambda: stage.results() == [("one", False), ("two", False)])
    (decided,) = (dialogs.read_decision(stage.ref, key) for key in dialogs.list_decided_keys(stage.ref))
    assert decided is not None
    assert (decided.scope, decided.summary) == ("session", "approved (session)")


def test_key_in_the_pane_wins(stage: DialogStage) -> None:
    (dialog,) = stage.ask("[ask echo yes] [say done]").list_open()
    stage.ctx.server(stage.ref).send_keys(stage.wait_for_pane(), ("1",))
    assert stage.wait_for_result() == ("yes", False)
    wait_until(lambda: not dialogs.list_waiting(stage.ref), what="the hook has ended")
    late = stage.lisa("approve", "--id", dialog["id"])
    assert (late.json["errorCode"], late.json["decidedBy"]) == ("dialog_already_answered", "pane")


def test_killed_hook_leaves_the_dialog_on_the_screen(stage: DialogStage) -> None:
    (dialog,) = stage.ask("[ask echo yes] [say done]").list_open()
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(stage.ref))
    (shown,) = stage.list_open()
    assert (shown["id"], shown["way"], len(shown["choices"])) == (dialog["id"], "screen", 3)
    answered = stage.lisa("approve", "--id", dialog["id"])
    assert (answered.code, answered.json["way"]) == (0, "screen"), answered
    assert stage.wait_for_result() == ("yes", False)


def test_decision_of_a_killed_process_is_completed(stage: DialogStage) -> None:
    stage.ask("[ask echo yes] [say done]")
    (waiting,) = dialogs.list_waiting(stage.ref)
    target = answer.SendTarget(stage.ctx, stage.ref)
    target.refresh()
    record = answer.decision.build_record(stage.ctx, "approve", "api", "hook", "approved")
    output = target.agent.format_hook_answer(answer.decision.HookAnswer(), None)
    assert dialogs.decide(stage.ref, waiting.key, record, output)  # and the process is killed here
    refused = stage.lisa("deny")
    assert refused.json["errorCode"] in ("no_dialog", "dialog_already_answered")
    assert stage.wait_for_result() == ("yes", False)


def test_decision_of_a_killed_sender_is_replaced(stage: DialogStage) -> None:
    stage.ask("[ask echo yes] [say done]")
    (waiting,) = dialogs.list_waiting(stage.ref)
    record = answer.decision.build_record(stage.ctx, "deny", "send", "screen", "chose no")
    assert dialogs.decide(stage.ref, waiting.key, structs.replace(record, pid=1))
    assert stage.lisa("approve").code == 0
    assert stage.wait_for_result() == ("yes", False)


def test_concurrent_decisions_count_once(stage: DialogStage) -> None:
    (dialog,) = stage.ask("[ask echo yes] [say done]").list_open()
    calls = [
        stage.machine.start("session", word, "--session", stage.name, "--id", dialog["id"], "--json")
        for word in ("approve", "deny", "approve", "deny")
    ]
    ended = [(call.communicate(timeout=30)[0], call.returncode) for call in calls]
    assert sorted(code for _, code in ended) == [0, 1, 1, 1]
    assert sum("dialog_already_answered" in out for out, _ in ended) == 3
    (key,) = dialogs.list_decided_keys(stage.ref)
    decided = dialogs.read_decision(stage.ref, key)
    assert decided is not None
    assert stage.wait_for_result() == (("yes", False) if decided.kind == "approve" else ("denied by the user", True))


def test_send_answer_is_a_decision_too(stage: DialogStage) -> None:
    (dialog,) = stage.ask("[ask echo yes] [say done]").list_open()
    answered = stage.lisa("send", "--answer", "yes")
    assert (answered.code, answered.json["answered"]["number"]) == (0, 1), answered
    late = stage.lisa("deny", "--id", dialog["id"])
    assert (late.json["errorCode"], late.json["decidedBy"]) == ("dialog_already_answered", "send")
    wait_until(lambda: not dialogs.list_waiting(stage.ref), what="the hook has ended")


def test_changed_input_is_run_instead(stage: DialogStage) -> None:
    stage.ask("[ask echo old] [say done]")
    given = DialogDecision(kind="approve", by="api", updated_input={"command": "echo new"})
    assert answer.answer_dialog(stage.ctx, stage.ref, "", given).ok
    assert stage.wait_for_result() == ("new", False)


def test_changed_input_is_never_approved_on_the_screen(stage: DialogStage) -> None:
    stage.ask("[ask echo old] [say done]")
    given = DialogDecision(kind="approve", by="api", updated_input={"command": "echo new"})
    target = answer.SendTarget(stage.ctx, stage.ref)
    target.refresh()
    (found,) = answer._find_dialogs(stage.ctx, target)
    prepared = answer.decision.prepare(target, found, given)
    with pytest.raises(LisaError) as problem:  # as if the hook had ended after it was found
        answer.decision.decide_on_screen(stage.ctx, target, found, prepared)
    assert problem.value.code == "not_supported"
    assert dialogs.list_decided_keys(stage.ref) == ()
    assert stage.results() == []
    assert stage.lisa("deny").code == 0


def test_end_of_the_agent_ends_the_waiting_hook(stage: DialogStage) -> None:
    stage.ask("[ask echo yes]")
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(stage.wait_for_agent_pid(), signal.SIGKILL)
    wait_until(lambda: not dialogs.is_waiting(stage.ref, waiting.key), what="the hook has ended")
    assert stage.lisa("approve").json["errorCode"] in ("agent_not_running", "session_not_found")


def test_of_several_dialogs_each_needs_its_id(stage: DialogStage) -> None:
    (first,) = stage.ask("[ask echo yes] [say done]").list_open()
    payload = {**dialogs.list_waiting(stage.ref)[0].payload, "tool_input": {"command": "echo other"}}
    other = subprocess.Popen(
        ["sh", launch.hook_path(), "--wait", stage.ref.folder, "PermissionRequest"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=stage.machine.env,
    )  # fmt: skip
    assert other.stdin is not None and other.stdout is not None
    other.stdin.write(json.dumps(payload).encode())
    other.stdin.close()
    second = wait_until(lambda: (found := stage.list_open()) and len(found) == 2 and found)[1]
    refused = stage.lisa("approve")
    assert (refused.json["errorCode"], refused.json["ids"]) == ("several_dialogs", [first["id"], second["id"]])
    denied = stage.lisa("deny", "--id", second["id"], "--message", "not this")
    assert (denied.code, denied.json["way"]) == (0, "hook"), denied
    with other.stdout as output:
        assert json.load(output)["hookSpecificOutput"]["decision"]["message"] == "not this"
    assert other.wait(20) == 0
    assert [dialog["id"] for dialog in stage.list_open()] == [first["id"]]
    ignored = stage.lisa("approve", "--scope", "session", "--pattern", "Bash(git:*)")
    assert ignored.json["notices"] == ["the pattern Bash(git:*) does not cover this call and is ignored"]
    assert stage.wait_for_result() == ("yes", False)
