"""session send: delivered means delivered."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.send import input_box
from lisa_py.core.send.target import SendTarget
from lisa_py.host import processes
from lisa_py.store import session_records
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_prompt_is_accepted_once_with_evidence(stage: SessionHarness) -> None:
    answer = stage.spawn().send("[say hello]")
    assert answer.code == 0, answer
    assert answer.json == {
        "bytes": 11,
        "delivered": True,
        "deliveredBy": answer.json["deliveredBy"],
        "enter": True,
        "ok": True,
        "projectRoot": str(stage.machine.project),
        "session": stage.name,
        "stderrPolicy": "diagnostic",
    }
    assert answer.json["deliveredBy"] in ("hook", "transcript")
    stage.wait_for_text("● hello")
    assert stage.prompts() == ["[say hello]"]
    assert stage.event_reasons()[-1] == "send_text"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-",
        "--json",
        "-R",
        "first line\nsecond line\n\nlast line",
        "ünïcödé 漢字 👩‍💻 \u202eright to left",
        "quotes ' \" ` $HOME $(id) \\ ; #{pane_id} ;",
        "trailing backslash \\",
        "tab\tinside",
    ],
)
def test_every_text_arrives_unchanged(stage: SessionHarness, text: str) -> None:
    assert stage.spawn().send(text).json["delivered"] is True
    assert stage.prompts() == [text]


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_large_text_is_read_from_a_file(stage: SessionHarness, size: int) -> None:
    text = ("".join(f"line {number} of many\n" for number in range(size // 10)))[:size] + "end"
    path = stage.machine.folder / "text"
    path.write_text(text + "\n")
    answer = stage.spawn().lisa("send", "--text-file", str(path), "--enter")
    assert answer.json["delivered"] is True
    assert answer.json["bytes"] == len(text)
    assert stage.prompts() == [text]


def test_text_is_read_from_standard_input(stage: SessionHarness) -> None:
    stage.spawn()
    assert stage.lisa("send", "--text-file", "-", "--enter", stdin="from\nstdin\n").json["delivered"] is True
    assert stage.prompts() == ["from\nstdin"]


def test_text_cannot_end_its_bracketed_paste(stage: SessionHarness) -> None:
    nasty = "harmless\x1b[201~\rrm -rf x\r\x03\x04"
    answer = stage.spawn().send(nasty)
    assert answer.json["stripped"] == {"C0": 2, "ESC": 1}
    assert stage.prompts() == ["harmless[201~\nrm -rf x\n"]


def test_bracketed_paste_submits_many_lines_once(stage: SessionHarness) -> None:
    log = stage.machine.folder / "got"
    program = stage.machine.folder / "reader.py"
    program.write_text(
        "import os, sys, tty\n"
        "tty.setraw(0)\nos.write(1, b'\\x1b[?2004hready')\n"
        f"log = open({str(log)!r}, 'ab', 0)\n"
        "while True:\n    log.write(os.read(0, 65536))\n"
    )
    stage.run(f"python3 {program}").wait_for_text("ready")
    answer = stage.send("line1\nline2")
    assert answer.json["delivered"] == "unverified"
    wait_until(lambda: log.exists() and log.read_bytes() == b"\x1b[200~line1\nline2\x1b[201~\r")


def test_without_enter_nothing_is_submitted_or_reported(stage: SessionHarness) -> None:
    answer = stage.spawn().lisa("send", "--text", "half a ")
    assert "delivered" not in answer.json
    assert answer.json["enter"] is False
    stage.wait_for_text("❯ half a")
    assert session_records.read_state(stage.ref).last_input_at == 0
    assert stage.send("[say whole]").json["delivered"] is True


def test_keys_that_begin_with_a_dash_are_keys(stage: SessionHarness) -> None:
    stage.spawn()
    assert stage.lisa("send", "--keys=-R -Z x Space y", "--enter").json["ok"] is True
    stage.wait_for_text("● The prompt has 7 characters: -R-Zx y")
    assert stage.event_reasons()[-1] == "send_keys"


def test_keys_with_enter_are_a_turn_boundary(stage: SessionHarness) -> None:
    stage.spawn()
    stage.lisa("send", "--keys", "h i")
    assert session_records.read_state(stage.ref).last_input_at == 0
    stage.lisa("send", "--keys", "c-m")
    assert session_records.read_state(stage.ref).last_input_at > 0


def test_escape_interrupts(stage: SessionHarness) -> None:
    stage.spawn().send("[think 600]")
    stage.wait_for_state("thinking")
    assert stage.lisa("send", "--keys", "Escape").json["ok"] is True
    stage.wait_for_state("interrupted")
    assert stage.send("[say again]").json["delivered"] is True
    stage.wait_for_text("● again")


def test_ctrl_c_reaches_the_agent_and_not_its_end_record(stage: SessionHarness) -> None:
    stage.run("bash -c 'trap \"echo caught; exit 0\" INT; echo armed; while :; do sleep 0.05; done'").wait_for_text(
        "armed"
    )
    assert stage.lisa("send", "--keys", "C-c").json["ok"] is True
    assert stage.wait_until_ended() == 0
    assert stage.status().session_state == "completed"


def test_turn_boundary_and_acceptance_are_recorded(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    state = session_records.read_state(stage.ref)
    assert state.last_input_text == "[say hello]"
    assert state.last_input_expects_turn is True
    assert 0 < state.last_input_at <= state.last_input_accepted_at
    stage.send("/clear")
    assert session_records.read_state(stage.ref).last_input_expects_turn is False


@pytest.mark.parametrize("mode", ["copy-mode", "clock-mode", "choose-tree", "customize-mode"])
def test_tmux_mode_is_left_before_input(stage: SessionHarness, mode: str) -> None:
    stage.spawn()
    tmux = stage.ctx.server(stage.ref)
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    tmux.call(mode, "-t", meta.pane_id)
    assert stage.send("[say out]").json["delivered"] is True
    tmux.call(mode, "-t", meta.pane_id)
    assert stage.lisa("send", "--keys", "z").json["ok"] is True
    stage.wait_for_text("❯ z")
    assert stage.prompts() == ["[say out]"]


def test_a_pane_with_input_disabled_is_named(stage: SessionHarness) -> None:
    stage.spawn()
    tmux = stage.ctx.server(stage.ref)
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    tmux.call("select-pane", "-d", "-t", meta.pane_id)
    refused = stage.send("[say lost]").json
    assert refused["errorCode"] == "send_text_failed"
    assert "select-pane -e" in refused["error"]
    tmux.call("select-pane", "-e", "-t", meta.pane_id)
    assert stage.send("[say out]").json["delivered"] is True
    stage.wait_for_text("● out")
    assert stage.prompts() == ["[say out]"]


def test_text_for_a_busy_agent_is_queued(stage: SessionHarness) -> None:
    gate = stage.machine.folder / "gate"
    stage.spawn().send(f"[wait {gate}] [say first]")
    stage.wait_for_state("thinking")
    assert stage.send("[say second]").json["delivered"] is True
    gate.touch()
    stage.wait_for_text("● second")
    assert stage.prompts() == [f"[wait {gate}] [say first]", "[say second]"]


def test_unsubmitted_text_of_a_killed_sender_is_cleared(stage: SessionHarness) -> None:
    stage.spawn()
    real, once = shutil.which("tmux"), stage.machine.folder / "once"
    strike = f"mkdir {once} 2>/dev/null && {{ kill -9 $PPID; exit; }}"
    stage.machine.add_program("tmux", f'#!/bin/sh\ncase "$*" in *Enter*) {strike};; esac\nexec {real} "$@"\n')
    killed = stage.machine.start("session", "send", "--session", stage.name, "--text", "left behind", "--enter")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (stage.machine.bin / "tmux").unlink()
    stage.wait_for_text("❯ left behind")
    assert stage.send("[say next]").json["delivered"] is True
    stage.wait_for_text("● next")
    assert stage.prompts() == ["[say next]"]


def break_next_paste(stage: SessionHarness, script: str) -> None:
    """Let the first paste run a shell script with the real tmux as $REAL, then report an error."""
    once = stage.machine.folder / "once"
    strike = f"REAL={shutil.which('tmux')}; mkdir {once} 2>/dev/null && {{ {script}; echo no reason >&2; exit 1; }}"
    program = f'#!/bin/sh\ncase "$*" in *paste-buffer*) {strike};; esac\nexec {shutil.which("tmux")} "$@"\n'
    stage.machine.add_program("tmux", program)


def test_text_typed_despite_a_tmux_error_is_submitted(stage: SessionHarness) -> None:
    stage.spawn()
    break_next_paste(stage, '"$REAL" "$@" >/dev/null')
    assert stage.send("[say once]").json["delivered"] is True
    stage.wait_for_text("● once")
    assert stage.prompts() == ["[say once]"]


def test_text_that_tmux_did_not_type_is_an_error(stage: SessionHarness) -> None:
    stage.spawn()
    break_next_paste(stage, "true")
    refused = stage.send("[say lost]")
    assert (refused.code, refused.json["errorCode"]) == (1, "send_text_failed")
    assert "no reason" in refused.json["error"]
    assert stage.send("[say next]").json["delivered"] is True
    stage.wait_for_text("● next")
    assert stage.prompts() == ["[say next]"]


def type_draft(stage: SessionHarness, text: str, *, shown: str = "") -> None:
    assert stage.lisa("send", "--keys", text).json["ok"] is True
    stage.wait_for_text(f"❯ {shown or text}")


def test_send_refuses_while_the_box_holds_a_draft(stage: SessionHarness) -> None:
    stage.spawn()
    type_draft(stage, "draft")
    for flags in ([], ["--enter"]):
        refused = stage.lisa("send", "--text", "[say no]", *flags)
        assert (refused.code, refused.json["errorCode"]) == (1, "input_not_empty"), refused
        assert refused.json["draft"] == "draft" and "--replace-draft" in refused.json["error"]
    assert stage.wait_for_text("❯ draft") and stage.prompts() == []


def test_replace_draft_returns_and_removes_the_draft(stage: SessionHarness) -> None:
    stage.spawn()
    type_draft(stage, "draft")
    answer = stage.send("[say yes]", "--replace-draft").json
    assert (answer["delivered"], answer["replacedDraft"]) == (True, "draft")
    stage.wait_for_text("● yes")
    assert stage.prompts() == ["[say yes]"]
    assert "replacedDraft" not in stage.send("[say more]", "--replace-draft").json


def test_draft_typed_by_lisa_is_continued(stage: SessionHarness) -> None:
    stage.spawn().lisa("send", "--text", "[say one")
    assert stage.lisa("send", "--text", " and two]", "--enter").code == 0
    stage.wait_for_text("● one and two")


def test_draft_typed_by_lisa_is_replaced_by_request(stage: SessionHarness) -> None:
    stage.spawn().lisa("send", "--text", "part one")
    answer = stage.send("[say only this]", "--replace-draft").json
    assert (answer["delivered"], answer["replacedDraft"]) == (True, "part one")
    assert stage.prompts() == ["[say only this]"]


def test_draft_of_lisa_that_a_person_continued_is_refused(stage: SessionHarness) -> None:
    stage.spawn().lisa("send", "--text", "part one")
    type_draft(stage, "andmore", shown="part oneandmore")
    refused = stage.send("[say no]")
    assert (refused.json["errorCode"], refused.json["draft"]) == ("input_not_empty", "part oneandmore"), refused
    assert stage.prompts() == []


def test_removed_draft_of_lisa_is_forgotten(stage: SessionHarness) -> None:
    stage.spawn().lisa("send", "--text", "a long first part")
    stage.lisa("send", "--keys", "C-u")
    assert stage.lisa("send", "--text", "[say ").code == 0
    assert stage.lisa("send", "--text", "whole]", "--enter").json["delivered"] is True
    assert stage.prompts() == ["[say whole]"]


def test_send_refuses_a_screen_without_the_box(stage: SessionHarness) -> None:
    stage.spawn()
    tmux, meta = stage.ctx.server(stage.ref), session_records.read_meta(stage.ref)
    assert meta is not None
    tmux.call("send-keys", "-R", "-t", meta.pane_id)  # clears the screen, as a foreign program would
    refused = stage.send("[say no]")
    assert (refused.code, refused.json["errorCode"]) == (1, "input_not_visible"), refused
    assert refused.json["screen"] == [] and "--force" in refused.json["error"]
    assert stage.send("[say yes]", "--force").json["delivered"] is True
    assert stage.prompts() == ["[say yes]"]


def test_send_refuses_a_terminal_without_a_reader(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z leaves the box on the screen, and a text would be printed over it and read later."""
    stage.spawn()
    monkeypatch.setattr(input_box, "APPEAR_SECONDS", 0.1)
    target = SendTarget(stage.ctx, stage.ref)
    target.refresh()
    assert target.evidence.agent_process is not None
    terminal = processes.terminal_input(target.evidence.agent_process.pid)
    subprocess.run(["sh", "-c", f"stty icanon echo <{terminal}"], check=True)
    with pytest.raises(LisaError) as caught:
        input_box.prepare_input_box(stage.ctx, target)
    assert caught.value.code == "input_not_visible" and "line mode" in caught.value.message
    subprocess.run(["sh", "-c", f"stty -icanon -echo <{terminal}"], check=True)
    assert input_box.prepare_input_box(stage.ctx, target) == ""


def test_escape_is_a_single_key(stage: SessionHarness) -> None:
    """Together with the next key it would be that key with Alt."""
    stage.run("stty raw -echo; while :; do dd bs=64 count=1 2>/dev/null | od -An -c | tr '\\n' '|'; done")
    assert stage.lisa("send", "--keys", "Escape", "--enter").code == 0
    wait_until(lambda: "\\r" in stage.screen(), what="both keys")
    assert re.search(r"033\s*\|\s*\\r", stage.screen()), stage.screen()


def test_text_waits_for_a_starting_agent(stage: SessionHarness) -> None:
    stage.spawn(ready=False)
    assert stage.send("[say early]").json["delivered"] is True
    assert stage.prompts() == ["[say early]"]


def test_twenty_concurrent_senders_do_not_interleave(stage: SessionHarness) -> None:
    stage.spawn()
    texts = [f"sender {number}\n" + f"{number} " * 500 + "end" for number in range(20)]
    answers = stage.machine.run_together(
        [("session", "send", "--session", stage.name, "--text", text, "--enter", "--json") for text in texts]
    )
    assert [answer for answer in answers if answer.json.get("delivered") is not True] == []
    wait_until(lambda: len(stage.prompts()) >= 20)
    assert sorted(stage.prompts()) == sorted(texts)


# -- what is refused ----------------------------------------------------------------------------------------------


def test_missing_session_leaves_no_files(stage: SessionHarness) -> None:
    answer = stage.send("hello")
    assert (answer.code, answer.json["errorCode"]) == (1, "session_not_found")
    assert not Path(stage.ref.project.folder).exists()


def test_keys_to_an_ended_agent_report_its_end(stage: SessionHarness) -> None:
    stage.spawn()
    target = SendTarget(stage.ctx, stage.ref)
    target.refresh()
    stage.lisa("send", "--text", "[exit 3]", "--enter")
    wait_until(lambda: (pane := target.tmux.find_pane(stage.name)) is not None and pane.dead, what="a dead pane")
    with pytest.raises(LisaError) as caught:
        target.press(("Enter",))
    assert caught.value.code == "agent_not_running" and "code 3" in str(caught.value)


@pytest.mark.parametrize("words", [("--text", "touch f"), ("--keys", "C-c"), ("--answer", "yes")])
def test_ended_agent_gets_no_input(stage: SessionHarness, words: tuple[str, ...]) -> None:
    stage.spawn("[think 0.6] [exit 3]")
    stage.wait_until_dead()
    before, state = stage.screen(), session_records.read_state(stage.ref)
    answer = stage.lisa("send", *words, "--enter")
    assert (answer.code, answer.json["errorCode"], answer.json["sessionState"]) == (1, "agent_not_running", "crashed")
    assert stage.screen() == before
    assert not (stage.machine.project / "f").exists()
    assert session_records.read_state(stage.ref) == state


def test_refuses_a_session_with_a_killed_supervisor(stage: SessionHarness) -> None:
    import os
    import signal

    stage.spawn()
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    os.kill(meta.pane_pid, signal.SIGKILL)
    wait_until(lambda: stage.status().session_state == "crashed")
    assert stage.send("hello").json["errorCode"] == "agent_not_running"


def test_stopped_agent_gets_no_input(stage: SessionHarness) -> None:
    """It would accept the text when continued, long after the sender got an error."""
    agent = int(stage.spawn().agent_state()["pid"])
    os.kill(agent, signal.SIGSTOP)
    refused = stage.send("[say hi]")
    os.kill(agent, signal.SIGCONT)
    assert (refused.code, refused.json["errorCode"], refused.json["sessionState"]) == (1, "agent_not_ready", "stuck")
    assert f"kill -CONT {agent}" in refused.json["error"]
    assert stage.send("[say hello]").json["delivered"] is True
    assert stage.prompts() == ["[say hello]"]


def test_reports_an_open_dialog_with_its_choices(stage: SessionHarness) -> None:
    stage.spawn("[ask rm -rf build]")
    stage.wait_for_state("waiting")
    answer = stage.send("please go on")
    assert (answer.code, answer.json["errorCode"], answer.json["waitingFor"]) == (
        1,
        "agent_waiting_dialog",
        "permission",
    )
    assert [choice["text"] for choice in answer.json["choices"]] == ["Yes", "Yes, and do not ask again", "No"]
    assert stage.agent_state()["state"] == "waiting"


def test_force_types_into_a_dialog(stage: SessionHarness) -> None:
    stage.spawn("[ask echo hi] [say did {last}]")
    stage.wait_for_state("waiting")
    assert stage.lisa("send", "--text", "1", "--force").json["ok"] is True
    stage.wait_for_state("waiting")
    stage.lisa("send", "--keys", "1")
    stage.wait_for_text("● did hi")


def test_exec_session_accepts_no_text(stage: SessionHarness) -> None:
    stage.spawn("[think 600]", mode="exec")
    assert stage.send("hello").json["errorCode"] == "agent_not_interactive"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing_send_payload"),
        (("--text", ""), "missing_send_payload"),
        (("--text", "\x1b\x07"), "missing_send_payload"),
        (("--text", " \n\t", "--enter"), "missing_send_payload"),
        (("--text", "a", "--keys", "b"), "send_payload_conflict"),
        (("--text", "a", "--text-file", "b"), "send_payload_conflict"),
        (("--keys", " "), "empty_keys"),
        (("--text-file", "/does/not/exist"), "invalid_text_file"),
        (("--answer", "perhaps"), "invalid_answer"),
        (("--answer", "yes"), "no_dialog"),
    ],
)
def test_unsendable_input_has_a_code(stage: SessionHarness, words: tuple[str, ...], code: str) -> None:
    answer = stage.spawn().lisa("send", *words)
    assert (answer.code, answer.json["errorCode"], answer.json["ok"]) == (1, code, False)


def test_reports_a_text_that_was_not_accepted(stage: SessionHarness) -> None:
    stage.spawn().send("[hang 600]")
    answer = stage.send("anybody there?")
    assert (answer.code, answer.json["ok"], answer.json["delivered"]) == (1, False, False)
    assert answer.json["errorCode"] == "send_not_taken"


def test_retypes_a_text_lost_during_start_up(stage: SessionHarness) -> None:
    stage.spawn().send("[deaf 1.5]")
    stage.wait_for_state("idle")
    answer = stage.send("[say found]")
    assert (answer.code, answer.json["delivered"], answer.json["helped"]) == (0, True, "retyped")
    assert stage.prompts()[1:] == ["[say found]"]


# -- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "number", "result"), [("yes", 1, "did hi"), ("always", 2, "did hi"), ("no", 3, "did"), ("1", 1, "did hi")]
)
def test_dialog_is_answered_by_meaning(stage: SessionHarness, word: str, number: int, result: str) -> None:
    stage.spawn("[ask echo hi] [say did {last}]")
    stage.wait_for_state("waiting")
    answer = stage.lisa("send", "--answer", word).json
    assert (answer["delivered"], answer["answered"]["number"]) == (True, number)
    assert answer["answered"]["waitingFor"] == "permission"
    stage.wait_for_text(f"● {result}")


def test_answer_works_from_any_selected_choice(stage: SessionHarness) -> None:
    stage.spawn("[choose Which? | red | green | blue | black]")
    stage.wait_for_state("waiting")
    stage.lisa("send", "--keys", "Down Down Down")
    assert stage.lisa("send", "--answer", "2").json["answered"]["text"] == "green"
    stage.wait_for_text("You chose: green")


def test_answer_without_a_choice_presses_no_key(stage: SessionHarness) -> None:
    stage.spawn("[choose Which? | red | green]")
    stage.wait_for_state("waiting")
    answer = stage.lisa("send", "--answer", "always").json
    assert answer["errorCode"] == "answer_not_offered"
    assert [choice["text"] for choice in answer["choices"]] == ["red", "green"]
    assert stage.agent_state()["state"] == "waiting"


# -- the objective ------------------------------------------------------------------------------------------------


def test_objective_precedes_the_text_and_is_reported(stage: SessionHarness) -> None:
    stage.spawn()
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    meta.objective_id, meta.objective_goal, meta.lane = "o1", "Ship it", "front"
    session_records.write_meta(stage.ref, meta)
    answer = stage.send("go on", "--json-min")
    assert answer.json["objective"] == {"acceptance": "", "budget": 0, "goal": "Ship it", "id": "o1"}
    assert sorted(answer.json) == ["delivered", "objective", "ok", "session", "stderrPolicy"]
    assert stage.prompts() == ["Objective reminder: id=o1 | goal=Ship it | lane=front\ngo on"]


def test_text_is_ok(stage: SessionHarness) -> None:
    stage.spawn()
    answer = stage.machine.lisa("session", "send", "--session", stage.name, "--text", "hi", "--enter")
    assert (answer.code, answer.out) == (0, "ok\n")
