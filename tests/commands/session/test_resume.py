"""session resume: lost sessions continue, each with its own conversation."""

from __future__ import annotations

import json
import os
import plistlib
import signal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from lisa_py import agents
from lisa_py.contract.records import SessionMeta
from lisa_py.core import session_panes
from lisa_py.core.lifecycle import doctor, former_run
from lisa_py.core.outbox.delivery import OutboxDelivery, was_resumed_at_limit
from lisa_py.core.status import lost_sessions
from lisa_py.host import processes
from lisa_py.store import live_records, outbox_records, session_records
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness
from tests.worktree_stage import WorktreeStage


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def read_meta(stage: SessionHarness) -> SessionMeta:
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    return meta


def lose(*stages: SessionHarness) -> None:
    """End the tmux server without its knowledge, as a reboot does, and remove its socket."""
    server = stages[0].ctx.tmux(stages[0].ref.project)
    metas = [read_meta(stage) for stage in stages]
    os.kill(metas[0].server_pid, signal.SIGKILL)
    for stage, meta in zip(stages, metas, strict=True):
        wait_until(lambda ref=stage.ref, meta=meta: session_panes.find_living_process(ref, meta) is None)
    Path(server.socket).unlink(missing_ok=True)


def talk(stage: SessionHarness, word: str) -> None:
    """Have the agent reply with a word, and wait for the end of the turn."""
    assert stage.send(f"[say {word}]").code == 0
    stage.wait_for_text(f"● {word}")
    stage.wait_for_state("idle")


def read_conversation(stage: SessionHarness) -> list[str]:
    frames = stage.lisa("history").json["frames"]
    return [frame["payload"]["content"] for frame in frames if frame["type"] in ("user", "assistant")]


def resume_all(machine: LisaHost, *words: str) -> CallResult:
    return machine.lisa("session", "resume", "--all", *words, "--json")


@pytest.mark.parametrize("choice", ["wait", "off"])
def test_the_newest_choice_for_a_limit_is_kept(stage: SessionHarness, choice: str) -> None:
    stage.spawn("", *(["--on-limit", "stop"] if choice == "off" else []))
    assert stage.lisa("limit", "--on-limit", choice).code == 0
    talk(stage, "one")
    lose(stage)
    assert stage.lisa("resume").code == 0
    assert stage.lisa("limit").json["onLimit"] == (None if choice == "off" else choice)


def test_lost_parent_and_children_are_resumed(machine: LisaHost) -> None:
    parent, child, job = (SessionHarness(machine, f"lisa-{name}") for name in ("z-parent", "a-child", "job"))
    parent.spawn("", "--width", "150", "--agent-args", "--model tiny")
    machine.env["LISA_SESSION_NAME"], machine.env["LISA_RUN_ID"] = parent.name, read_meta(parent).run_id
    child.spawn()
    for name in ("LISA_SESSION_NAME", "LISA_RUN_ID"):
        del machine.env[name]
    job.run("sleep 600")
    talk(child, "second-lisa-a-child")
    talk(parent, "first-lisa-z-parent")
    parent.send("/clear")
    talk(parent, "second-lisa-z-parent")
    before = {each.name: (read_meta(each), each.lisa("get").json["session"]) for each in (parent, child)}
    cursor = parent.lisa("history").json["cursor"]
    lose(parent, child, job)

    listed = machine.lisa("session", "list", "--json").json
    assert (listed["sessions"], [each["session"] for each in listed["lost"]]) == (
        [],
        ["lisa-a-child", "lisa-job", "lisa-z-parent"],
    )
    assert [each["resumable"] for each in listed["lost"]] == [True, False, True]
    assert "lisa session resume" in listed["lost"][0]["resumeCommand"]
    assert "lisa session resume --all brings them back" in machine.lisa("session", "list").err
    assert [row["lost"] for row in machine.lisa("session", "tree", "--flat", "--json").json["rows"]] == [True] * 3
    counted = doctor.check_lost_sessions(machine.context())
    assert (counted.ok, counted.detail.split(";")[0]) == (False, "3")
    planned = resume_all(machine, "--dry-run").json
    assert [each["session"] for each in planned["resumed"]] == ["lisa-z-parent", "lisa-a-child"]
    answer = resume_all(machine)
    assert answer.code == 0, answer
    assert [(each["session"], each["errorCode"]) for each in answer.json["left"]] == [("lisa-job", "not_resumable")]
    assert [each["session"] for each in answer.json["resumed"]] == ["lisa-z-parent", "lisa-a-child"]
    for each in (parent, child):
        old, described = before[each.name]
        meta, record = read_meta(each), live_records.read_record(each.ref)
        assert record is not None
        assert (record.resumed_from, meta.former_run_ids) == (old.run_id, (old.run_id,))
        assert record.created_unix == old.created_unix < meta.created_unix
        kept = ("created_at", "parent_session", "width", "height", "lane", "prompt")
        assert [getattr(meta, name) for name in kept] == [getattr(old, name) for name in kept]
        now = each.lisa("get").json["session"]
        assert [now[key] for key in ("id", "created_at", "num_turns")] == [
            described[key] for key in ("id", "created_at", "num_turns")
        ]
        assert each.event_reasons()[-1] == "resumed"
        talk(each, "third")
        words = [text for text in read_conversation(each) if not text.startswith("[")]
        before_clear = ["first-lisa-z-parent"] if each is parent else []
        assert words == [*before_clear, f"second-{each.name}", "third"]
        assert each.prompts() == [f"[say second-{each.name}]", "[say third]"]  # /clear began another one
    assert live_records.read_record(parent.ref).launch.agent_args == "--model tiny"  # type: ignore[union-attr]
    fresh = parent.lisa("history", "--since", cursor).json["frames"]
    assert [frame["payload"]["content"] for frame in fresh if frame["type"] == "assistant"] == ["third"]
    tree = machine.lisa("session", "tree", "--json").json["roots"]
    assert [(node["session"], [each["session"] for each in node.get("children", ())]) for node in tree] == [
        ("lisa-job", []),
        ("lisa-z-parent", ["lisa-a-child"]),
    ]
    assert resume_all(machine).json["count"] == 0
    assert [each["session"] for each in machine.lisa("session", "list", "--json").json["lost"]] == ["lisa-job"]


def test_advice_for_a_lost_session_is_to_resume_it(machine: LisaHost) -> None:
    stage, job = SessionHarness(machine), SessionHarness(machine, "lisa-job").run("sleep 600")
    stage.spawn()
    lose(stage, job)
    command = f"lisa session resume --session '{stage.name}' --project-root '{machine.project}'"
    assert stage.lisa("status").json["resumeCommand"] == command
    assert f"{stage.name} is lost: {command}" in machine.lisa("session", "status", "--session", stage.name).err
    for words in (("status",), ("monitor",)):
        shown = machine.lisa("session", *words, "--session", stage.name, "--json-min").json
        assert shown["resumeCommand"] == command
    assert stage.lisa("monitor").json["resumeCommand"] == command
    waited = machine.lisa("session", "wait", "--sessions", stage.name, "--json-min").json
    assert waited["sessions"][0]["resumeCommand"] == command
    assert "resumeCommand" not in job.lisa("monitor").json
    refused = machine.lisa("session", "wait", "--all", "--json").json
    text = (
        f"no living session to wait for, but 1 lost: {stage.name} (ended from outside; lisa session resume --all brings"
    )
    assert (refused["errorCode"], text in refused["error"]) == ("no_sessions", True)
    assert stage.lisa("explain").json["status"]["resumeCommand"] == command
    assert f"to bring it back: {command}" in machine.lisa("session", "explain", "--session", stage.name).out
    advised = stage.lisa("next").json
    assert (advised["nextAction"], advised["recommendedCommand"]) == ("session resume", f"{command} --json")
    plan = stage.lisa("anomaly", "--auto-remediate").json["autoRemediate"]
    assert plan["steps"][-1]["command"] == f"{command} --json"
    for words in (("send", "--enter"), ("ask",), ("send", "--when", "idle")):
        refused = stage.lisa(*words, "--text", "x").json
        assert (refused["errorCode"], f"it is lost; {command}" in refused["error"]) == ("session_not_found", True)
    assert "resumeCommand" not in job.lisa("status").json  # a command is started again
    assert job.lisa("next").json["nextAction"] in ("session spawn", "session explain")


def test_the_worktree_of_a_lost_session_is_compared(machine: LisaHost) -> None:
    stage = WorktreeStage(machine, "exec sleep 600")
    stage.tree.commit("work", b_txt="two\n")
    lose(SessionHarness(machine, "lisa-x"))
    assert stage.lisa("diff", "--json").json["commits"] == 1
    listed = machine.lisa("session", "list", "--json").json
    assert listed["worktrees"] == [
        {
            "session": "lisa-x",
            "projectRoot": str(machine.project),
            "path": str(stage.tree.folder),
            "branch": "lisa/lisa-x",
            "commits": 1,
            "changed": 1,
            "added": 1,
            "removed": 0,
        }
    ]
    assert "worktrees" not in machine.lisa("session", "list", "--json-min").json
    assert stage.lisa("merge", "--json").json["worktree"]["removed"]
    gone = machine.lisa("session", "list", "--json").json["worktrees"][0]
    assert ("changed" in gone, gone["reason"]) == (False, f"the worktree {stage.tree.folder} does not exist")


def test_spawn_does_not_replace_a_lost_conversation(stage: SessionHarness) -> None:
    stage.machine.env["API_TOKEN_OF_USER"] = "s3cret-value"
    talk(stage.spawn(), "one")
    del stage.machine.env["API_TOKEN_OF_USER"]
    assert b"s3cret-value" not in Path(stage.ref.file("record.json")).read_bytes()
    lose(stage)
    answer = stage.lisa("spawn", "--agent", "scripted")
    assert (answer.code, answer.json["errorCode"], answer.json["lost"]) == (1, "session_already_exists", True)
    assert "lisa session resume" in answer.json["error"] and "lisa session kill" in answer.json["error"]
    resumed = stage.lisa("resume", "--prompt", "[say two]").json["resumed"][0]
    assert (resumed["promptSent"], resumed["missingVariables"]) == (True, ["API_TOKEN_OF_USER"])
    stage.wait_for_text("● two")
    stage.wait_for_state("idle")
    assert read_conversation(stage) == ["[say one]", "one", "[say two]", "two"]
    lose(stage)
    assert stage.lisa("spawn", "--agent", "scripted", "--replace").code == 0


def test_a_running_agent_is_refused(stage: SessionHarness) -> None:
    stage.spawn()
    for form in ((), ("--dry-run",)):
        assert stage.lisa("resume", *form).json["errorCode"] == "session_running"
    absent = stage.machine.lisa("session", "resume", "--session", "lisa-none", "--json")
    assert absent.json["errorCode"] == "session_not_found"
    stage.lisa("kill")
    killed = stage.lisa("resume").json
    assert (killed["errorCode"], "lisa session fork" in killed["error"]) == ("session_not_found", True)


def test_an_ended_agent_in_its_pane_is_resumed(stage: SessionHarness) -> None:
    talk(stage.spawn(), "one")
    assert stage.lisa("checkpoint", "save", "--file", "c.json").code == 0
    os.kill(stage.wait_for_agent_pid(), signal.SIGKILL)
    stage.wait_until_dead()
    words = ("session", "checkpoint", "resume", "--file", "c.json", "--json")
    assert stage.machine.lisa(*words).json["respawnCommand"].startswith(f"lisa session resume --session '{stage.name}'")
    assert resume_all(stage.machine).json["count"] == 0  # it is listed, not lost
    assert stage.lisa("resume").json["resumed"][0]["method"] == "conversation"
    assert stage.machine.lisa(*words).json["sameRun"] is True
    talk(stage, "two")
    assert read_conversation(stage) == ["[say one]", "one", "[say two]", "two"]


def test_a_command_runs_again_only_on_request(stage: SessionHarness) -> None:
    stage.run("echo started; sleep 600")
    lose(stage)
    refused = stage.lisa("resume")
    assert (refused.json["errorCode"], "--rerun" in refused.json["reason"]) == ("not_resumable", True)
    assert stage.lisa("resume", "--rerun").json["resumed"][0]["method"] == "rerun"
    stage.wait_for_text("started")


def test_missing_parts_are_reported_before_the_start(stage: SessionHarness) -> None:
    talk(stage.spawn(), "one")
    transcript = Path(stage.agent_state()["transcript"])
    lose(stage)
    raw = transcript.read_bytes()
    transcript.unlink()
    answer = resume_all(stage.machine)
    assert (answer.code, answer.json["errorCode"]) == (1, "session_resume_failed")
    (left,) = answer.json["left"]
    assert (left["errorCode"], left["outcome"]) == ("conversation_missing", "failed")
    assert str(transcript) in left["reason"]
    transcript.write_bytes(raw)
    path = stage.machine.env["PATH"]
    stage.machine.env["PATH"] = "/nowhere"
    assert [each["errorCode"] for each in resume_all(stage.machine).json["left"]] == ["tmux_missing"]
    stage.machine.env["PATH"] = path
    project = stage.machine.project
    moved = project.rename(project.with_name("moved"))
    words = ("session", "resume", "--session", stage.name, "--project-root", str(project), "--json")
    assert stage.machine.lisa(*words, cwd=moved).json["errorCode"] == "folder_missing"
    moved.rename(project)
    assert stage.lisa("resume").code == 0


def test_a_session_without_a_prompt_begins_a_conversation(stage: SessionHarness) -> None:
    stage.spawn()
    lose(stage)
    resumed = stage.lisa("resume").json["resumed"][0]
    assert (resumed["method"], "conversation" in resumed) == ("new", False)
    talk(stage, "one")
    stage.send("/clear")
    for _ in range(2):  # the second one has no input after its start
        lose(stage)
        assert stage.lisa("resume").json["resumed"][0]["method"] == "new"
    talk(stage, "two")
    assert read_conversation(stage)[-2:] == ["[say two]", "two"]
    assert stage.prompts() == ["[say two]"]


def test_a_failed_start_leaves_the_records(stage: SessionHarness) -> None:
    talk(stage.spawn(), "one")
    lose(stage)
    meta, record = read_meta(stage), live_records.read_record(stage.ref)
    assert record is not None
    record.launch.agent_args = "--no-such-flag"
    live_records.write_record(stage.ref, record)
    answer = stage.lisa("resume")
    assert (answer.code, answer.json["errorCode"]) == (1, "spawn_early_exit")
    assert (read_meta(stage), live_records.read_record(stage.ref)) == (meta, record)
    assert stage.status().classification_reason == "tmux_server_lost"
    record.launch.agent_args = ""
    live_records.write_record(stage.ref, record)
    assert stage.lisa("resume").code == 0
    talk(stage, "two")
    assert read_conversation(stage) == ["[say one]", "one", "[say two]", "two"]


def test_a_resume_that_was_killed_is_repeated(stage: SessionHarness) -> None:
    """A resume that ends before its pane exists leaves records without one, and no end record."""
    talk(stage.spawn(), "one")
    lose(stage)
    meta = read_meta(stage)
    former_run.begin_next_run(stage.ctx, stage.ref, meta, "999")
    begun = structs.replace(meta, run_id="999", former_run_ids=(meta.run_id,), pane_id="", pane_pid=0, server_pid=0)
    session_records.write_meta(stage.ref, begun)
    assert stage.lisa("spawn", "--agent", "scripted").json["lost"] is True
    assert resume_all(stage.machine).json["resumed"][0]["method"] == "conversation"
    talk(stage, "two")
    assert read_conversation(stage) == ["[say one]", "one", "[say two]", "two"]
    assert read_meta(stage).former_run_ids == (meta.run_id, "999")


def test_conflicting_flags_are_refused(machine: LisaHost) -> None:
    for words, code in (
        (("--all", "--session", "lisa-x"), "resume_target_conflict"),
        (("--session", "lisa-x", "--all-projects"), "resume_target_conflict"),
        ((), "resume_target_required"),
    ):
        assert machine.lisa("session", "resume", *words, "--json").json["errorCode"] == code


def test_units_name_the_command(machine: LisaHost) -> None:
    answer = machine.lisa("session", "resume", "--print-unit", "--json").json
    unit = plistlib.loads(answer["launchd"].encode())
    assert unit["ProgramArguments"][-4:] == ["session", "resume", "--all", "--all-projects"]
    (start,) = [line for line in answer["systemd"].splitlines() if line.startswith("ExecStart=")]
    assert start.endswith('"session" "resume" "--all" "--all-projects"')
    assert json.dumps(unit["EnvironmentVariables"]["PATH"]) in answer["systemd"].replace("PATH=", '"')


def test_each_agent_has_its_resume_command() -> None:
    for name, given, expected in (
        ("claude", "--model m --resume OLD --fork-session", "--resume ID --model m"),
        ("claude", "-c --add-dir '/a b' --session-id=X", "--resume ID --add-dir '/a b'"),
        ("codex", "fork OLD -s read-only", "resume ID -s read-only"),
        ("codex", "resume --last -c 'a=\"resume\"'", "resume ID -c 'a=\"resume\"'"),
        ("scripted", "--resume OLD", "--resume ID"),
    ):
        words = agents.get(name).build_resume_arguments("ID", given).split()
        assert words == expected.split()


def test_unaccepted_prompt_is_reported(stage: SessionHarness) -> None:
    stage.spawn("[say one]", "--agent-args", "--dialog trust", ready=False)
    stage.wait_for_state("waiting")
    lose(stage)
    resumed = stage.lisa("resume", "--dry-run").json["resumed"][0]
    assert (resumed["method"], resumed["warnings"]) == (
        "new",
        ["the agent has not taken its first prompt: send it again"],
    )


def test_a_queued_text_is_delivered_after_it(stage: SessionHarness) -> None:
    stage.spawn()
    talk(stage, "before")
    stage.send("[think 600]")
    assert stage.lisa("send", "--text", "[say later]", "--when", "idle").code == 0
    registry = outbox_records.registry(stage.ref)
    wait_until(lambda: registry.read().texts[0].waiting_for == "turn", what="a process waits to deliver it")
    lose(stage)
    process = Path(stage.ref.file(outbox_records.PID_FILE))
    wait_until(lambda: processes.read_process(int(process.read_text()), argv=False) is None, what="the process ended")
    assert [each.state for each in registry.read().texts] == ["queued"]
    assert stage.lisa("resume").code == 0
    wait_until(lambda: registry.read().texts[0].state == "answered", what="the text is answered")
    assert read_conversation(stage)[-2:] == ["[say later]", "later"]


def test_a_text_survives_a_resume_during_the_loss(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivering process looks for lost sessions when this one runs again."""
    stage.spawn()
    talk(stage, "before")
    stage.send("[think 600]")
    assert stage.lisa("send", "--text", "[say later]", "--when", "idle").code == 0
    registry = outbox_records.registry(stage.ref)
    wait_until(lambda: registry.read().texts[0].waiting_for == "turn", what="a process waits to deliver it")
    deliverer = int(Path(stage.ref.file(outbox_records.PID_FILE)).read_text())
    lose(stage)
    wait_until(lambda: processes.read_process(deliverer, argv=False) is None, what="the process ended")
    find_lost = lost_sessions.wait_for_lost_entries

    def resume_first(*given: Any) -> Any:
        assert stage.lisa("resume").code == 0
        return find_lost(*given)

    monkeypatch.setattr(lost_sessions, "wait_for_lost_entries", resume_first)
    with session_records.session_lock(stage.ref, stage.ctx.settings, outbox_records.LOCK, timeout_ms=9000):
        assert OutboxDelivery(stage.ctx, stage.ref).run() is True
    assert [each.state for each in registry.read().texts] == ["answered"]
    assert read_conversation(stage)[-2:] == ["[say later]", "later"]


def test_a_prompt_after_it_ends_the_wait_at_a_limit(stage: SessionHarness) -> None:
    stage.spawn("[limit usage limit reached, try again in 3600 seconds]")
    wait_until(lambda: stage.status().waiting_for == "limit", what="the limit")
    assert stage.lisa("limit", "--on-limit", "wait").json["continuesAt"]
    (text,) = outbox_records.registry(stage.ref).read().texts
    assert not was_resumed_at_limit(stage.ctx, stage.ref, text)
    lose(stage)
    assert stage.lisa("resume").code == 0
    assert was_resumed_at_limit(stage.ctx, stage.ref, text)
    server = stage.ctx.server(stage.ref)
    server.send_keys(server.find_pane(stage.name).pane_id, ["[say", "Space", "typed]", "Enter"])
    stage.wait_for_text("● typed")
    assert not was_resumed_at_limit(stage.ctx, stage.ref, text)


def test_a_limit_is_continued_after_it(stage: SessionHarness) -> None:
    stage.spawn()
    talk(stage, "before")
    limit = "[limit usage limit reached, try again in 2 seconds]"
    stage.send(limit)
    wait_until(lambda: stage.status().waiting_for == "limit", what="the limit")
    assert stage.lisa("limit", "--on-limit", "wait").json["continuesAt"]
    lose(stage)
    assert stage.lisa("resume").code == 0
    registry = outbox_records.registry(stage.ref)
    wait_until(lambda: registry.read().texts[0].is_over, what="the text is over")
    assert [each.state for each in registry.read().texts] == ["answered"]
    assert read_conversation(stage)[-3:-1] == [limit, "continue"]
