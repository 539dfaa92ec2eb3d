"""Spawn: one session per name, a confirmed start, a folder of its own, private secrets."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.lifecycle.launch import LaunchRequest
from lisa_py.core.lifecycle.spawn import spawn_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.status import status_reader
from lisa_py.host import processes
from lisa_py.store import events, masked_values, oauth_tokens, session_records
from tests.fleet import Fleet
from tests.lisa_host import PROGRAM, LisaHost, find_server_pid
from tests.polling import wait_until


def refused(fleet: Fleet, name: str, command: str = "true", **more: str) -> str:
    with pytest.raises(LisaError) as problem:
        fleet.spawn(name, command, **more)
    return problem.value.code


# -- what runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "state", "code"),
    [
        pytest.param("exit 9", "crashed", 9, id="scenario-9"),
        pytest.param("sleep 0.01 &", "completed", 0, id="scenario-10-ampersand"),
        pytest.param("echo hi # note", "completed", 0, id="scenario-10-note"),
        pytest.param("cat <<END\nhello\nEND", "completed", 0, id="scenario-10-heredoc"),
        pytest.param("exec sh -c 'exit 3'", "crashed", 3, id="scenario-11"),
        pytest.param("kill -9 $$", "crashed", 137, id="signal"),
        pytest.param("no-such-program", "crashed", 127, id="missing"),
    ],
)
def test_every_command_ends_in_the_right_state(fleet: Fleet, command: str, state: str, code: int) -> None:
    fleet.spawn("lisa-x", command, mode="exec")
    assert fleet.wait_until_ended("lisa-x") == code
    status = status_reader.read_status(fleet.ctx, fleet.ref("lisa-x"))
    assert (status.session_state, status.exit_code) == (state, code)


def test_scenario_12_killing_the_supervisor_is_a_crash(fleet: Fleet) -> None:
    spawned = fleet.spawn("lisa-x", "trap '' HUP; sleep 600")
    os.kill(spawned.pane_pid, signal.SIGKILL)
    wait_until(lambda: status_reader.read_status(fleet.ctx, fleet.ref("lisa-x")).session_state == "crashed", timeout=8)


def test_scenario_33_a_pane_killed_by_a_signal_has_crashed(fleet: Fleet) -> None:
    spawned = fleet.spawn("lisa-x")
    for process in psutil.Process(spawned.pane_pid).children(recursive=True):
        process.kill()
    os.kill(spawned.pane_pid, signal.SIGKILL)
    wait_until(lambda: (pane := fleet.pane("lisa-x")) is None or pane.dead)
    assert status_reader.read_status(fleet.ctx, fleet.ref("lisa-x")).session_state == "crashed"


def test_success_means_that_the_command_has_started(fleet: Fleet) -> None:
    spawned = fleet.spawn("lisa-x")
    assert session_records.read_start(fleet.ref("lisa-x")) == (spawned.run_id, spawned.pane_pid)
    assert fleet.pane("lisa-x") is not None


@pytest.mark.parametrize("name", ["with space", "ünï 日本", "quote ' \" $HOME `x` #{pane_id} ;", "n" * 250])
def test_project_path_may_be_anywhere(fleet: Fleet, name: str) -> None:
    root = fleet.machine.folder / name
    root.mkdir()
    spawned = fleet.spawn("lisa-x", "pwd -P >here; exec sleep 600", root=str(root))
    wait_until(lambda: (root / "here").exists() and (root / "here").read_text())
    assert (root / "here").read_text() == f"{root}\n"
    assert spawned.project_root == str(root)


def test_very_deep_project_is_separate(fleet: Fleet) -> None:
    root = fleet.machine.folder.joinpath(*["d" * 60] * 6)
    root.mkdir(parents=True)
    fleet.spawn("lisa-x", "pwd -P >here; exec sleep 600", root=str(root))
    wait_until(lambda: (root / "here").exists())


def test_the_command_keeps_the_callers_umask(fleet: Fleet) -> None:
    before = os.umask(0o027)
    try:
        fleet.spawn("lisa-first")
        os.umask(0o002)
        fleet.spawn("lisa-x", "umask >out")
    finally:
        os.umask(before)
    assert fleet.wait_for_file("out").strip() == "0002"


def test_pane_has_the_requested_size(fleet: Fleet) -> None:
    request = LaunchRequest(agent="claude", command="stty size >out; exec sleep 600")
    spawn_session(fleet.ctx, SpawnRequest(launch=request, session="lisa-x", width=91, height=23))
    assert fleet.wait_for_file("out").strip() == "23 91"


# -- names --------------------------------------------------------------------------------------------------------


def test_scenario_3_prefix_of_another_name_is_free(fleet: Fleet) -> None:
    fleet.spawn("lisa-q-1")
    fleet.spawn("lisa-q")
    assert fleet.names() == ["lisa-q", "lisa-q-1"]


def test_one_of_parallel_spawns_of_a_name_wins(machine: LisaHost, fleet: Fleet) -> None:
    words = ("session", "spawn", "--session", "lisa-x", "--command", "exec sleep 600", "--json")
    running = [machine.start(*words) for _ in range(6)]
    answers = [(process.communicate(timeout=60)[0], process.returncode) for process in running]
    assert sorted(code for _, code in answers) == [0, 1, 1, 1, 1, 1]
    codes = [json.loads(out).get("errorCode") for out, code in answers if code]
    assert codes == ["session_already_exists"] * 5
    winner = next(json.loads(out) for out, code in answers if not code)
    meta = session_records.read_meta(fleet.ref("lisa-x"))
    assert meta is not None
    assert (meta.run_id, meta.pane_pid) == (winner["runId"], winner["panePid"])
    assert status_reader.read_status(fleet.ctx, fleet.ref("lisa-x")).session_state not in (
        "crashed",
        "not_found",
        "stuck",
    )
    assert fleet.reasons("lisa-x") == ["spawn_success"]


def test_forty_parallel_spawns_on_a_cold_server_succeed(fleet: Fleet) -> None:
    with ThreadPoolExecutor(20) as pool:
        spawned = list(pool.map(lambda n: fleet.spawn(f"lisa-{n:02}"), range(40)))
    assert fleet.names() == [f"lisa-{n:02}" for n in range(40)]
    assert len({each.run_id for each in spawned}) == 40
    socket = fleet.ctx.project().socket
    assert [process.name() for process in fleet.find_processes(socket)] == ["tmux: server"]


# -- what was there before ----------------------------------------------------------------------------------------


def test_after_a_crash_of_tmux_the_name_is_free(fleet: Fleet) -> None:
    old = fleet.spawn("lisa-x", "echo $$ >old; exec sleep 600")
    agent = int(fleet.wait_for_file("old"))
    os.kill(find_server_pid(fleet.ctx.tmux(fleet.ctx.project())), signal.SIGKILL)
    new = fleet.spawn("lisa-x")
    assert new.run_id != old.run_id
    assert not processes.is_running(agent, 0)
    assert session_records.read_end(fleet.ref("lisa-x")) is None


def test_agent_that_outlives_tmux_ends_only_by_replace(fleet: Fleet) -> None:
    old = fleet.spawn("lisa-x", "trap '' HUP TERM; echo $$ >old; while :; do sleep 0.2; done")
    orphan = psutil.Process(int(fleet.wait_for_file("old")))
    os.kill(find_server_pid(fleet.ctx.tmux(fleet.ctx.project())), signal.SIGKILL)
    wait_until(lambda: not fleet.names())
    assert refused(fleet, "lisa-x") == "session_already_exists"
    assert orphan.is_running()
    words = ("session", "spawn", "--session", "lisa-x", "--command", "sleep 600", "--replace", "--json")
    new = fleet.machine.lisa(*words).json
    assert (new["replaced"], new["runId"] == old.run_id) == (True, False)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert session_records.read_end(fleet.ref("lisa-x")) is None


def test_event_numbers_continue_after_the_former_session(fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    ref = fleet.ref("lisa-x")
    for _ in range(5):
        events.add(ref, fleet.ctx.settings, time.time(), type="lifecycle", reason="send_text")
    fleet.machine.lisa("session", "kill", "--session", "lisa-x")
    last = fleet.events("lisa-x")[-1].seq
    fleet.spawn("lisa-x")
    assert [event.reason for event in events.read_since(ref, last, 10).events] == ["spawn_success"]
    assert fleet.reasons("lisa-x") == ["kill_success", "spawn_success"]


def test_old_event_logs_of_killed_sessions_are_removed(fleet: Fleet) -> None:
    for name in ("lisa-old", "lisa-young"):
        fleet.spawn(name, "true")
        fleet.machine.lisa("session", "kill", "--session", name)
    ago = time.time() - 15 * 24 * 3600
    os.utime(fleet.folder("lisa-old") / "events.jsonl", (ago, ago))
    fleet.spawn("lisa-new")
    os.utime(fleet.folder("lisa-new") / "events.jsonl", (ago, ago))
    os.utime(Path(fleet.ctx.settings.state_dir, "pruned"), (ago, ago))
    fleet.spawn("lisa-newer")
    assert not fleet.folder("lisa-old").exists()
    assert fleet.files("lisa-young") == ["events.jsonl"]
    assert "events.jsonl" in fleet.files("lisa-new")


# -- privacy ------------------------------------------------------------------------------------------------------


def test_every_artifact_is_private_whatever_the_umask(fleet: Fleet) -> None:
    before = os.umask(0o000)
    try:
        fleet.spawn("lisa-x", "exit 0")
        fleet.wait_until_ended("lisa-x")
    finally:
        os.umask(before)
    state = Path(fleet.ctx.settings.state_dir)
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in state.rglob("*")}
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}
    assert {"done.txt", "meta.json", "start", "heartbeat"} <= {path.name for path in modes}


def test_scenario_6_symlinks_are_not_followed(fleet: Fleet) -> None:
    victim = fleet.machine.project / "victim"
    victim.write_text("precious")
    folder = fleet.folder("lisa-x")
    folder.mkdir(parents=True, mode=0o700)
    for name in ("done.txt", "start", "heartbeat", "meta.json", "state.json", "command.sh", "environment", "stdin"):
        (folder / name).symlink_to(victim)
    fleet.spawn("lisa-x", "exit 0")
    assert fleet.wait_until_ended("lisa-x") == 0
    assert victim.read_text() == "precious"
    folder = fleet.folder("lisa-y")
    folder.symlink_to(fleet.machine.project)
    assert refused(fleet, "lisa-y") == "store_unwritable"
    assert sorted(os.listdir(fleet.machine.project)) == ["victim"]


PROBE_SCRIPT = '#!/bin/sh\ncase "$*" in *--version*) echo "2.1.329 x"; exit;; *--help*|app-server*) exit;; esac\n'


def test_scenario_4_each_session_gets_its_own_token(machine: LisaHost, fleet: Fleet) -> None:
    settings = fleet.ctx.settings
    for secret in ("tok-AAA-secret", "tok-BBB-secret"):
        oauth_tokens.add(settings, time.time(), token=secret)
    script = PROBE_SCRIPT + 'printf %s "${CLAUDE_CODE_OAUTH_TOKEN-none}" >"$LISA_SESSION_NAME"; exec sleep 600\n'
    for agent in ("claude", "codex"):
        machine.add_program(agent, script)
    answers = [
        machine.lisa("session", "spawn", "--session", f"lisa-{n}", "--agent", agent, "--json")
        for n, agent in enumerate(("claude", "codex", "claude"))
    ]
    assert [fleet.wait_for_file(f"lisa-{n}") for n in range(3)] == ["tok-AAA-secret", "none", "tok-BBB-secret"]
    ids = [answer.json.get("oauthTokenId") for answer in answers]
    assert ids == [oauth_tokens.make_id("tok-AAA-secret"), None, oauth_tokens.make_id("tok-BBB-secret")]
    tmux = fleet.ctx.tmux(fleet.ctx.project())
    outputs = [tmux.call("show-environment", "-g").text]
    outputs += [tmux.call("show-environment", "-t", f"=lisa-{n}:").text for n in range(3)]
    outputs += [answer.out + answer.err for answer in answers]
    outputs += [
        path.read_text()
        for path in Path(settings.state_dir, "projects").rglob("*")
        if path.is_file() and path.name != masked_values.FILE
    ]
    outputs += [str(process.info["cmdline"]) for process in psutil.process_iter(["cmdline"])]
    assert not any("-secret" in text for text in outputs)
    assert not list(Path(settings.state_dir).rglob("environment"))


def test_spawn_with_a_removed_token_is_rolled_back(machine: LisaHost, fleet: Fleet) -> None:
    oauth_tokens.add(fleet.ctx.settings, time.time(), token="tok")
    machine.add_program("claude", PROBE_SCRIPT + 'rm "$LISA_STATE_DIR/oauth_tokens.json"; exec sleep 600\n')
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "spawn_oauth_selection_failed")
    assert fleet.names() == []
    assert fleet.files("lisa-x") == ["events.jsonl"]
    assert fleet.reasons("lisa-x") == ["spawn_oauth_selection_error"]


def test_exhausted_token_pool_is_reported(machine: LisaHost) -> None:
    machine.add_program("claude", PROBE_SCRIPT + "exec sleep 600\n")
    added = machine.lisa("oauth", "add", "--stdin", "--json", stdin="tok").json
    machine.lisa("oauth", "disable", "--id", added["id"])
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--json")
    assert answer.code == 0
    assert "disabled" in answer.json["oauthWarning"]
    assert "oauth warning:" in answer.err


# -- when the machine says no -------------------------------------------------------------------------------------


def test_unwritable_state_folder_starts_nothing(machine: LisaHost, fleet: Fleet) -> None:
    (machine.folder / "file").write_text("x")
    machine.env["LISA_STATE_DIR"] = str(machine.folder / "file" / "state")
    answer = machine.lisa("session", "spawn", "--session", "lisa-x", "--command", "true", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "store_unwritable")
    assert fleet.names() == []


def test_full_disk_is_reported_and_leaves_nothing(machine: LisaHost, fleet: Fleet) -> None:
    words = ("session", "spawn", "--session", "lisa-x", "--command", "true", "--json")
    ended = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *PROGRAM, *words],
        env=machine.env, cwd=machine.project, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, json.loads(ended.stdout)["errorCode"]) == (1, "store_unwritable")
    assert fleet.files("lisa-x") == []
    assert not list(Path(machine.env["LISA_STATE_DIR"]).rglob("lisa-x*"))
    assert fleet.names() == []


def test_failed_tmux_session_is_reported_with_its_reason(machine: LisaHost, fleet: Fleet) -> None:
    machine.add_program("tmux", "#!/bin/sh\necho 'out of ptys' >&2; exit 1\n")
    assert refused(fleet, "lisa-x") == "spawn_tmux_new_failed"
    assert fleet.files("lisa-x") == ["events.jsonl"]
    assert fleet.reasons("lisa-x") == ["spawn_tmux_new_error"]


def test_pane_without_a_start_is_removed(machine: LisaHost, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    from lisa_py.core.lifecycle import startup

    monkeypatch.setattr(startup, "supervisor_command", lambda *words: ["/bin/sh", "-c", "echo no room; exit 1"])
    with pytest.raises(LisaError, match="no room") as problem:
        fleet.spawn("lisa-x")
    assert problem.value.code == "spawn_tmux_new_failed"
    assert fleet.names() == []
    assert fleet.files("lisa-x") == ["events.jsonl"]
