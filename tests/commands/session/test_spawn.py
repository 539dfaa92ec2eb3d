"""session spawn: flags, answers, and what it refuses."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from lisa_py.store import live_records, session_records
from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.polling import wait_until

CLAUDE = "#!/bin/sh\ncase $1 in --version) echo '2.1.329 (Claude Code)'; exit;; --help) exit;; esac\n"
"""A stand-in for the agent CLI; what a test adds is what it does when it is really started."""


def test_text_is_the_session_name(machine: LisaHost) -> None:
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--command", "sleep 600")
    assert (answer.code, answer.out, answer.err) == (0, "lisa-x\n", "")


def test_json_has_the_started_command(machine: LisaHost, fleet: Fleet) -> None:
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--command", "sleep 600", "--json")
    assert answer.code == 0
    pane = fleet.pane("lisa-x")
    assert pane is not None
    assert answer.json == {
        "agent": "claude",
        "command": "sleep 600",
        "hooks": False,
        "id": live_records.make_id(fleet.ctx.project(), answer.json["runId"]),
        "lane": "",
        "mode": "interactive",
        "nestedPolicy": "auto",
        "nestingIntent": "auto",
        "panePid": pane.pid,
        "projectRoot": str(machine.project),
        "runId": answer.json["runId"],
        "session": "lisa-x",
        "socketPath": fleet.ctx.project().socket,
        "stderrPolicy": "diagnostic",
    }
    assert fleet.reasons("lisa-x") == ["spawn_success"]


def test_missing_name_is_generated(machine: LisaHost, fleet: Fleet) -> None:
    name = machine.lisa("session", "spawn", "--mode", "exec", "--command", "sleep 600", "--json").json["session"]
    assert name.startswith("lisa-proj-")
    assert name.endswith("-claude-exec")
    assert fleet.names() == [name]


def test_agent_runs_with_its_arguments_and_the_prompt(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE + 'printf "%s|" "$@" >argv; sleep 600\n')
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--prompt", "it's 'two\nlines' $HOME", "--json")
    assert answer.json["command"] == "claude --dangerously-skip-permissions $'it\\'s \\'two\\nlines\\' $HOME'"
    assert answer.json["agentVersion"] == "2.1.329"
    assert "--dangerously-skip-permissions|" in fleet.wait_for_file("argv")
    assert fleet.wait_for_file("argv").endswith("|it's 'two\nlines' $HOME|")
    state = json.loads((fleet.folder("lisa-x") / "state.json").read_text())
    assert state["lastInputText"] == "it's 'two\nlines' $HOME"
    assert state["lastInputExpectsTurn"] is True
    assert abs(state["lastInputAt"] - json.loads((fleet.folder("lisa-x") / "meta.json").read_text())["createdUnix"]) < 1


def test_answer_has_the_size_of_a_long_prompt(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE + 'printf "%s|" "$@" >argv; sleep 600\n')
    prompt = "it's ü long one\n" * 100
    spawn = ("session", "spawn", "--prompt", prompt, "--json")
    shown = f"claude --dangerously-skip-permissions '[prompt of {len(prompt.encode())} bytes]'"
    answer = machine.lisa(*spawn, "--session", "lisa-x").json
    assert answer["command"] == shown
    assert fleet.wait_for_file("argv").endswith(f"|{prompt}|")
    assert prompt[:10] in machine.lisa(*spawn, "--dry-run").json["command"].replace("\\'", "'")


def test_permission_checks_can_be_kept(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE + 'printf "%s|" "$@" "end" >argv; sleep 600\n')
    machine.lisa("session", "spawn", "--session", "lisa-x", "--no-dangerously-skip-permissions")
    assert "dangerously" not in fleet.wait_for_file("argv")


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_reads_the_prompt_from_file_or_stdin_unchanged(machine: LisaHost, fleet: Fleet, source: str) -> None:
    machine.add_program("claude", CLAUDE + 'for word; do :; done; printf "%s" "$word" >prompt; sleep 600\n')
    prompt = "  first ü\n\n$HOME `x` 'y' \"z\" --flag\n\tlast"
    (machine.project / "p.txt").write_text(prompt + "\n")
    path, given = ("p.txt", None) if source == "file" else ("-", prompt + "\n")
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--prompt-file", path, stdin=given)
    assert answer.code == 0
    assert fleet.wait_for_file("prompt") == prompt


def test_long_exec_prompt_is_passed_on_stdin(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE + "cat >prompt\n")
    prompt = "0123456789abcde\n" * 40_000
    (machine.project / "p.txt").write_text(prompt + "\n")
    words = ("--session", "lisa-x", "--mode", "exec", "--prompt-file", "p.txt")
    assert machine.lisa("session", "spawn", *words).code == 0
    assert fleet.wait_until_ended("lisa-x") == 0
    assert (machine.project / "prompt").read_text().strip() == prompt.strip()


def test_long_first_prompt_is_sent_to_the_ready_agent(machine: LisaHost) -> None:
    (machine.project / "p.txt").write_text("x" * 200_000)
    words = ("--agent", "scripted", "--session", "lisa-x", "--prompt-file", "p.txt", "--json")
    answer = machine.lisa("session", "spawn", *words)
    assert answer.json["promptSent"] is True
    transcript = next((machine.home / ".scripted" / "transcripts").glob("*.jsonl"))
    prompts = [json.loads(line) for line in transcript.read_text().splitlines()]
    assert [record["text"] for record in prompts if record["type"] == "user"] == ["x" * 200_000]


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_program_that_ignores_probes_starts_in_time(machine: LisaHost, name: str) -> None:
    machine.add_program(name, "#!/bin/sh\nexec sleep 600\n")
    began = time.monotonic()
    spawned = machine.lisa("session", "spawn", "--session", "lisa-x", "--agent", name, "--json").json
    assert time.monotonic() - began < 8  # 2 s for the probes
    assert spawned["session"] == "lisa-x"
    assert any("--version: no answer in time" in note for note in spawned["notes"])


def test_wrapper_that_moves_the_agent_is_reported(machine: LisaHost, fleet: Fleet) -> None:
    elsewhere = machine.folder / "else where"
    elsewhere.mkdir()
    wrapper = f"cd '{elsewhere}'; export CLAUDE_CONFIG_DIR='{elsewhere}/config'; exec -a claude sleep 600\n"
    machine.add_program("claude", CLAUDE.replace("/bin/sh", "/usr/bin/env bash") + wrapper)
    spawned = machine.lisa("session", "spawn", "--session", "lisa-x", "--json").json
    assert spawned["warnings"] == [f"claude works in {elsewhere}, not in {machine.project}"]
    meta = session_records.read_meta(fleet.ref("lisa-x"))
    assert meta is not None
    assert meta.agent_home == f"{elsewhere}/config"


def test_agent_in_its_folder_is_not_reported(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE.replace("/bin/sh", "/usr/bin/env bash") + "exec -a claude sleep 600\n")
    assert "warnings" not in machine.lisa("session", "spawn", "--session", "lisa-x", "--json").json
    meta = session_records.read_meta(fleet.ref("lisa-x"))
    assert meta is not None
    assert meta.agent_home == str(machine.home / ".claude")


def test_trust_is_set_on_request(machine: LisaHost) -> None:
    machine.add_program("claude", CLAUDE + "sleep 600\n")
    spawned = machine.lisa("session", "spawn", "--session", "lisa-x", "--trust", "--json").json
    assert any(str(machine.project) in note for note in spawned["notes"])
    config = json.loads((machine.home / ".claude.json").read_text())
    assert config["projects"][str(machine.project)]["hasTrustDialogAccepted"] is True


def test_nested_agent_finds_lisa_without_the_callers_path(machine: LisaHost, fleet: Fleet) -> None:
    words = ("--command", "lisa version >out; command -v lisa >>out", "--nesting-intent", "nested")
    machine.env["PATH"] = "/usr/bin:/bin"
    assert machine.lisa("session", "spawn", "--session", "lisa-x", *words).code == 0
    assert fleet.wait_until_ended("lisa-x") == 0
    version, place = (machine.project / "out").read_text().splitlines()[-2:]
    assert version.startswith("lisa")
    assert place == str(fleet.folder("lisa-x") / "bin" / "lisa")
    machine.add_program("lisa", "#!/bin/sh\necho mine\n")
    machine.env["PATH"] = f"{machine.bin}:/usr/bin:/bin"
    assert machine.lisa("session", "spawn", "--session", "lisa-y", *words).code == 0
    assert fleet.wait_until_ended("lisa-y") == 0
    assert (machine.project / "out").read_text().splitlines() == ["mine", str(machine.bin / "lisa")]


# -- dry run ----------------------------------------------------------------------------------------------------


def test_dry_run_shows_the_plan_and_creates_nothing(machine: LisaHost, fleet: Fleet) -> None:
    words = ("--session", "lisa-x", "--agent", "codex", "--mode", "exec", "--model", "m", "--prompt", "hi", "--dry-run")
    answer = machine.lisa("session", "spawn", *words, "--detect-nested", "--json")
    plan = answer.json
    assert answer.code == 0
    assert plan["dryRun"] is True
    assert plan["command"] == "codex exec 'hi' --full-auto --skip-git-repo-check --model 'm'"
    assert (plan["model"], plan["width"], plan["height"]) == ("m", 220, 60)
    assert plan["nestedDetection"]["reason"] == "no_nested_hint"
    assert plan["env"]["LISA_SESSION_NAME"] == "lisa-x"
    assert {
        *("LISA_SESSION", "LISA_SESSION_NAME", "LISA_AGENT", "LISA_MODE", "LISA_PROJECT_ROOT", "LISA_TMUX_SOCKET"),
        *("LISA_PROJECT_HASH", "LISA_HEARTBEAT_FILE", "LISA_DONE_FILE"),
    } <= plan["env"].keys()
    assert plan["socketPath"] == fleet.ctx.project().socket
    assert "supervisor.sh" in plan["startupCommand"]
    assert not (machine.folder / "state").exists()
    assert list(machine.sockets.iterdir()) == []


def test_provider_chooses_the_agent_unless_one_is_named(machine: LisaHost) -> None:
    words = ("session", "spawn", "--session", "lisa-x", "--provider", "openai", "--prompt", "hi", "--dry-run", "--json")
    assert machine.lisa(*words).json["agent"] == "codex"
    assert machine.lisa(*words, "--agent", "claude").json["agent"] == "claude"


def test_a_dry_run_as_text_names_socket_and_command(machine: LisaHost, fleet: Fleet) -> None:
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--prompt", "hi", "--dry-run")
    assert answer.out == (
        f"lisa-x\ndry-run socket: {fleet.ctx.project().socket}\n"
        "dry-run command: claude --dangerously-skip-permissions 'hi'\n"
    )


def test_a_dry_run_previews_the_token_without_its_secret(machine: LisaHost) -> None:
    added = machine.lisa("oauth", "add", "--stdin", "--json", stdin="tok-secret-A").json
    answer = machine.lisa("session", "spawn", "--prompt", "hi", "--dry-run", "--json")
    assert answer.json["oauthTokenId"] == added["id"]
    assert answer.json["env"]["CLAUDE_CODE_OAUTH_TOKEN"] == "[managed-by-lisa]"
    assert "tok-secret" not in answer.out
    assert '"reservedBy"' not in (machine.folder / "state" / "oauth_tokens.json").read_text()


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--width", "0"), "invalid_width"),
        (("--height", "many"), "invalid_height"),
        (("--agent", "gemini"), "invalid_agent"),
        (("--mode", "batch"), "invalid_mode"),
        (("--nested-policy", "maybe"), "invalid_nested_policy"),
        (("--nesting-intent", "maybe"), "invalid_nesting_intent"),
        (("--model", "m"), "invalid_model_configuration"),
        (("--agent", "codex", "--model", "a\nb"), "invalid_model"),
        (("--mode", "exec"), "agent_command_build_failed"),
        (("--session", "worker"), "invalid_session_name"),
        (("--session", "lisa-a.b"), "invalid_session_name"),
        (("--session", "lisa-" + "a" * 100), "invalid_session_name"),
        (("--project-root", "/nowhere/at/all"), "invalid_project_root"),
        (("--lane", "nobody"), "lane_not_found"),
        (("--prompt", "a", "--prompt-file", "b"), "prompt_conflict"),
        (("--prompt-file", "/nowhere"), "invalid_prompt_file"),
        (("--prompt", "a\udcffb"), "invalid_prompt"),
        (("--command", "echo \udcff"), "invalid_command"),
        (("--agent-args", "--x=\udcff"), "invalid_agent_args"),
        (("--bogus",), "unknown_flag"),
        (("--prompt",), "missing_flag_value"),
    ],
)
def test_invalid_arguments_are_refused_without_trace(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    machine.add_program("claude", CLAUDE)
    answer = machine.lisa("session", "spawn", *words, "--json")
    assert (answer.code, answer.json["ok"], answer.json["errorCode"]) == (1, False, code)
    assert list((machine.folder / "state").rglob("*.json")) == []
    assert list(machine.sockets.iterdir()) == []


def test_refuses_a_folder_name_that_is_not_utf8(machine: LisaHost) -> None:
    root = machine.folder / "r\udcffx"
    root.mkdir()
    answer = machine.lisa("session", "spawn", "--command", "true", "--json", cwd=root)
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_project_root")


def test_forced_nesting_with_full_auto_is_refused(machine: LisaHost) -> None:
    words = ("--agent", "codex", "--mode", "exec", "--prompt", "x", "--nested-policy", "force")
    answer = machine.lisa("session", "spawn", *words, "--agent-args", "--full-auto", "--json")
    assert answer.json["errorCode"] == "invalid_nested_policy_combination"


def test_reports_an_agent_that_is_not_installed(machine: LisaHost, fleet: Fleet) -> None:
    (machine.bin / "tmux").symlink_to(shutil.which("tmux") or "")
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "agent_not_installed")
    assert fleet.files("lisa-x") == []


def test_refuses_the_name_of_an_existing_session(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-runs")
    fleet.spawn("lisa-ended", "exit 3")
    fleet.wait_until_dead("lisa-ended")
    for name, hint in (("lisa-runs", "running"), ("lisa-ended", "session kill")):
        answer = machine.lisa("session", "spawn", "--session", name, "--command", "true", "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "session_already_exists")
        assert hint in answer.json["error"]
    assert "meta.json" in fleet.files("lisa-runs")
    assert (fleet.folder("lisa-ended") / "done.txt").exists()


def test_missing_tmux_has_its_own_code(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE)
    words = ("session", "spawn", "--session", "lisa-x", "--command", "true", "--json")
    answer = machine.lisa(*words, env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "tmux_missing")
    assert fleet.files("lisa-x") == []


# -- an agent that fails at once --------------------------------------------------------------------------------


def test_early_exit_has_code_and_output_and_leaves_an_event(machine: LisaHost, fleet: Fleet) -> None:
    machine.lisa("oauth", "add", "--stdin", stdin="tok-A")
    machine.add_program("claude", CLAUDE + "echo 'first line'; echo 'unknown option --x' >&2; exit 7\n")
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--agent-args", "--x", "--json")
    assert answer.code == 1
    assert answer.json["errorCode"] == "spawn_early_exit"
    assert answer.json["exitCode"] == 7
    assert answer.json["output"] == "first line\nunknown option --x"
    assert "code 7: unknown option --x" in answer.json["error"]
    assert fleet.names() == []
    assert fleet.files("lisa-x") == ["events.jsonl"]
    assert fleet.reasons("lisa-x") == ["spawn_early_exit"]
    assert '"reservedBy"' not in (machine.folder / "state" / "oauth_tokens.json").read_text()
    machine.add_program("claude", CLAUDE + "sleep 600\n")
    assert machine.lisa("session", "spawn", "--session", "lisa-x").code == 0


def test_immediate_success_of_an_exec_agent_is_a_success(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", CLAUDE + "echo done\n")
    words = ("--session", "lisa-x", "--mode", "exec", "--prompt", "x", "--json")
    answer = machine.lisa("session", "spawn", *words)
    assert (answer.code, answer.json["exitCode"], answer.json["output"]) == (0, 0, "done")
    assert fleet.names() == ["lisa-x"]


def test_early_end_of_a_custom_command_is_an_answer(machine: LisaHost) -> None:
    words = ("--session", "lisa-x", "--mode", "exec", "--command", "echo bad luck; exit 9", "--json")
    answer = machine.lisa("session", "spawn", *words)
    assert (answer.code, answer.json["exitCode"], answer.json["output"]) == (0, 9, "bad luck")
    assert answer.err == "spawn warning: the command has already ended with code 9\n"
    status = machine.lisa("session", "status", "--session", "lisa-x", "--json").json
    assert (status["sessionState"], status["exitCode"]) == ("crashed", 9)


def test_ctrl_c_while_spawning_leaves_nothing(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("claude", "#!/bin/sh\ntouch asked; exec sleep 600\n")
    process = machine.start("session", "spawn", "--session", "lisa-x", "--json")
    wait_until(lambda: (machine.project / "asked").exists(), what="the agent is asked for its version")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, json.loads(out)["errorCode"]) == (130, "interrupted")
    assert fleet.files("lisa-x") == []
    assert fleet.names() == []


# -- lanes and objectives ---------------------------------------------------------------------------------------


def test_lane_supplies_only_missing_values(machine: LisaHost) -> None:
    lane = ("--agent", "codex", "--mode", "exec", "--prompt", "from the lane", "--model", "m")
    machine.lisa("session", "lane", "--name", "Fast", *lane)
    plan = machine.lisa("session", "spawn", "--lane", " FAST ", "--prompt", "mine", "--dry-run", "--json").json
    assert (plan["lane"], plan["agent"], plan["mode"], plan["model"]) == ("fast", "codex", "exec", "m")
    assert plan["command"].startswith("codex exec 'mine'")


def test_current_objective_precedes_the_prompt_once(machine: LisaHost) -> None:
    machine.lisa("session", "objective", "--id", "o1", "--goal", "ship it", "--acceptance", "green", "--budget", "7")
    plan = machine.lisa("session", "spawn", "--prompt", "go", "--dry-run", "--json").json
    assert plan["objective"] == {"id": "o1", "goal": "ship it", "acceptance": "green", "budget": 7}
    reminder = "Objective context: id=o1 | goal=ship it | acceptance=green | budget=7"
    assert f"{reminder}\\n\\ngo'" in plan["command"]
    plan = machine.lisa("session", "spawn", "--prompt", "SHIP IT now", "--dry-run", "--json").json
    assert plan["command"].endswith(" 'SHIP IT now'")
    machine.add_program("claude", CLAUDE + "sleep 600\n")
    machine.lisa("session", "spawn", "--session", "lisa-x")
    meta = json.loads(next(Path(machine.env["LISA_STATE_DIR"]).rglob("meta.json")).read_text())
    assert (meta["objectiveId"], meta["prompt"]) == ("o1", reminder)
