"""Kill: no process and no file but the events remain, and nothing else is touched."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import psutil
import pytest
from msgspec import UNSET

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.lifecycle import kill, terminate
from lisa_py.host import files, processes
from lisa_py.store import pruning, session_records
from tests.fleet import Fleet
from tests.lisa_host import PROGRAM, LisaHost, find_server_pid
from tests.polling import wait_until

STUBBORN = "trap '' HUP TERM INT; echo $$ >{name}; while :; do sleep 0.2; done"


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a process that obeys TERM, short enough for one that does not."""
    monkeypatch.setattr(terminate.end_processes, "__kwdefaults__", {"grace": 0.4})


def pid(fleet: Fleet, file: str) -> int:
    return int(fleet.wait_for_file(file))


def gone(number: int) -> bool:
    return not processes.is_running(number, 0)


def test_session_and_its_descendants_end(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "sh -c 'echo $$ >tool; exec sleep 600' & echo $$ >agent; wait")
    numbers = [pid(fleet, "tool"), pid(fleet, "agent")]
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert (killed.found, killed.errors) == (True, UNSET)
    assert all(gone(number) for number in numbers)
    assert fleet.names() == []
    assert fleet.find_processes(str(fleet.folder("lisa-x"))) == []


def test_agent_gets_term_first_and_may_clean_up(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "trap 'echo saved >goodbye; exit 0' TERM; echo $$ >agent; while :; do sleep 0.05; done")
    fleet.wait_for_file("agent")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert (fleet.machine.project / "goodbye").read_text() == "saved\n"


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("{loop}", id="deaf"),
        pytest.param("setsid sh -c {quoted} & exec sleep 600", id="setsid"),
        pytest.param("(setsid sh -c {quoted} &) ; exec sleep 600", id="daemon"),
        pytest.param("(setsid nohup sh -c {quoted} >/dev/null 2>&1 </dev/null &) ; exit 0", id="daemon-of-ended"),
    ],
)
def test_scenario_13_unresponsive_process_is_killed(fleet: Fleet, start: str) -> None:
    loop = STUBBORN.format(name="deaf")
    fleet.spawn("lisa-x", start.format(loop=loop, quoted='"' + loop.replace("$", "\\$") + '"'))
    number = pid(fleet, "deaf")
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert not killed.errors
    assert gone(number)


def test_daemon_without_environment_is_ended(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "env -i setsid sh -c 'trap \"\" HUP TERM; echo $$ >deaf; while :; do sleep 0.2; done'")
    number = pid(fleet, "deaf")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert gone(number)


def test_stopped_process_is_ended(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "echo $$ >agent; exec sleep 600")
    number = pid(fleet, "agent")
    os.kill(number, signal.SIGSTOP)
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert gone(number)


def test_scenario_14_only_the_events_remain(fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    (fleet.folder("lisa-x") / "folder").mkdir()
    (fleet.folder("lisa-x") / "folder" / "file").write_text("x")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert fleet.files("lisa-x") == ["events.jsonl"]
    assert fleet.reasons("lisa-x") == ["spawn_success", "kill_success"]
    assert [(event.state, event.status) for event in fleet.events("lisa-x")][-1] == ("terminated", "idle")
    locks = os.path.join(fleet.ref("lisa-x").project.folder, "locks")
    assert os.listdir(locks) == []


def test_last_kill_leaves_no_server_and_no_socket(fleet: Fleet) -> None:
    for name in ("lisa-x", "lisa-y"):
        fleet.spawn(name)
    tmux = fleet.ctx.tmux(fleet.ctx.project())
    number = find_server_pid(tmux)
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert find_server_pid(tmux) == number
    kill.kill_session(fleet.ctx, fleet.ref("lisa-y"))
    assert gone(number)
    assert os.listdir(fleet.machine.sockets) == []


def test_scenario_1_a_name_prefix_kills_nothing(fleet: Fleet) -> None:
    fleet.spawn("lisa-alpha-worker")
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-al"))
    assert killed.found is False
    assert fleet.names() == ["lisa-alpha-worker"]
    assert "meta.json" in fleet.files("lisa-alpha-worker")


def test_session_with_the_same_prefix_keeps_its_files(fleet: Fleet) -> None:
    fleet.spawn("lisa-q")
    fleet.spawn("lisa-q-1")
    before = fleet.files("lisa-q-1")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-q"))
    assert fleet.files("lisa-q-1") == before
    assert fleet.names() == ["lisa-q-1"]


def test_an_ended_session_is_removed(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "exit 3")
    fleet.wait_until_ended("lisa-x")
    assert kill.kill_session(fleet.ctx, fleet.ref("lisa-x")).found is True
    assert fleet.files("lisa-x") == ["events.jsonl"]
    assert fleet.names() == []


def test_scenario_34_an_unknown_name_makes_no_file(fleet: Fleet) -> None:
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-never"))
    assert killed.found is False
    assert not os.path.exists(fleet.ctx.settings.state_dir)


def test_symlinked_folder_is_unlinked_and_target_kept(fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    folder, elsewhere = fleet.folder("lisa-x"), fleet.machine.folder / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir() if path.is_file()}
    sent = fleet.machine.lisa("session", "send", "--session", "lisa-x", "--text", "x", "--enter", "--json")
    assert (sent.code, sent.json["errorCode"]) == (1, "store_unwritable")
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir() if path.is_file()} == before
    killed = fleet.machine.lisa("session", "kill", "--session", "lisa-x", "--json")
    assert (killed.code, killed.json["ok"], killed.json["found"]) == (0, True, True)
    assert fleet.files("lisa-x") == ["events.jsonl"] and not folder.is_symlink()
    assert "meta.json" in os.listdir(elsewhere)
    fleet.spawn("lisa-x")


def test_killing_twice_adds_nothing(fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    before = fleet.reasons("lisa-x")
    assert kill.kill_session(fleet.ctx, fleet.ref("lisa-x")).found is False
    assert fleet.reasons("lisa-x") == before


@pytest.mark.parametrize("how", ["missing", "hanging"])
def test_scenario_16_unresponsive_tmux_deletes_nothing(fleet: Fleet, how: str) -> None:
    fleet.spawn("lisa-x", "echo $$ >agent; exec sleep 600")
    number = pid(fleet, "agent")
    before = fleet.files("lisa-x")
    server = find_server_pid(fleet.ctx.tmux(fleet.ctx.project()))
    path = fleet.machine.env["PATH"]
    if how == "missing":
        fleet.machine.env["PATH"] = str(fleet.machine.bin)
    else:
        fleet.machine.env["LISA_CMD_TIMEOUT_SECONDS"] = "1"
        os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(TmuxUnavailable):
            kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    finally:
        os.kill(server, signal.SIGCONT)
        fleet.machine.env["PATH"] = path
    assert fleet.files("lisa-x") == before
    assert not gone(number)
    assert fleet.names() == ["lisa-x"]


def test_living_agent_is_ended_after_a_crash_of_tmux(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", STUBBORN.format(name="deaf"))
    number = pid(fleet, "deaf")
    os.kill(find_server_pid(fleet.ctx.tmux(fleet.ctx.project())), signal.SIGKILL)
    wait_until(lambda: not fleet.names())
    assert not gone(number)
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert (killed.found, killed.errors) == (True, UNSET)
    assert gone(number)
    assert fleet.files("lisa-x") == ["events.jsonl"]


def test_supervisor_without_terminal_writes_nothing(fleet: Fleet) -> None:
    for _ in range(3):
        spawned = fleet.spawn("lisa-x", STUBBORN.format(name="deaf"))
        fleet.wait_for_file("deaf")
        os.kill(spawned.pane_pid, signal.SIGKILL)
        kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
        assert fleet.files("lisa-x") == ["events.jsonl"]
        assert fleet.find_processes(str(fleet.folder("lisa-x"))) == []


def test_records_of_a_missing_session_are_removed(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "exit 0")
    fleet.wait_until_dead("lisa-x")
    fleet.ctx.tmux(fleet.ctx.project()).kill_server()
    assert kill.kill_session(fleet.ctx, fleet.ref("lisa-x")).found is False
    assert fleet.files("lisa-x") == ["events.jsonl"]
    assert fleet.reasons("lisa-x")[-1] == "kill_not_found"


def test_reused_pid_is_not_touched(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "exit 0")
    fleet.wait_until_ended("lisa-x")
    fleet.ctx.tmux(fleet.ctx.project()).kill_server()
    innocent = psutil.Popen(["sleep", "600"])
    ref = fleet.ref("lisa-x")
    run_id, _ = session_records.read_start(ref) or ("", 0)
    with open(ref.start, "w") as handle:
        handle.write(f"{run_id} {innocent.pid} 1\n")
    try:
        kill.kill_session(fleet.ctx, ref)
        assert innocent.is_running()
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("damaged", ["meta.json", "start", "all"])
def test_damaged_records_hide_no_detached_process(fleet: Fleet, damaged: str) -> None:
    fleet.spawn("lisa-x", "setsid sh -c 'echo $$ >tool; exec sleep 600' </dev/null >/dev/null & exec sleep 600")
    number = pid(fleet, "tool")
    for name in fleet.files("lisa-x"):
        if name == damaged:
            (fleet.folder("lisa-x") / name).write_bytes(b"\0\xff")
        elif damaged == "all" and os.path.isfile(fleet.ref("lisa-x").file(name)):
            (fleet.folder("lisa-x") / name).unlink()
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert killed.found is True and gone(number)
    assert fleet.find_processes(str(fleet.folder("lisa-x"))) == []
    assert (killed.archive_errors is not UNSET) == (damaged == "meta.json")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_disk_that_takes_no_lock_keeps_no_process(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    fleet.spawn("lisa-x", "echo $$ >agent; exec sleep 600")
    agent = pid(fleet, "agent")

    def refuse(path: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_try_lock", refuse)
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert (killed.ok, killed.found) == (True, True)
    assert gone(agent) and fleet.names() == []


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_kill_removes_what_blocks_the_event_log(fleet: Fleet, kind: str) -> None:
    log = fleet.folder("lisa-x") / "events.jsonl"
    log.parent.mkdir(parents=True)
    log.mkdir() if kind == "folder" else log.symlink_to("/nowhere")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert not os.path.lexists(log) or log.is_file()
    assert fleet.spawn("lisa-x").session == "lisa-x"


def test_surviving_process_is_reported_with_its_records(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.spawn("lisa-x", STUBBORN.format(name="deaf"))
    number = pid(fleet, "deaf")
    monkeypatch.setattr(processes, "send_signal", lambda process, signal: False)  # as for another user's process
    monkeypatch.setattr(terminate, "FORCE_SECONDS", 0.2)
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert str(number) in killed.errors[0]
    assert number in [left.pid for left in killed.left or ()]
    assert "meta.json" in fleet.files("lisa-x")
    assert fleet.names() == ["lisa-x"]
    assert fleet.reasons("lisa-x")[-1] == "kill_error"


SERVER = "env -i sh -c 'trap \"\" HUP TERM; echo $$ >server; while :; do sleep 0.2; done' </dev/null"
"""A tool server: it has neither the environment nor the terminal of the session, only its kernel session."""


@pytest.mark.parametrize("agent", ["exec sleep 600", "kill -KILL $$"])
def test_orphan_of_the_kernel_session_ends(fleet: Fleet, agent: str) -> None:
    fleet.spawn("lisa-x", f"({SERVER} &) ; while ! test -s server; do :; done; {agent}")
    number = pid(fleet, "server")
    if "kill" in agent:
        fleet.wait_until_ended("lisa-x")
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert (killed.found, killed.errors, killed.left) == (True, UNSET, UNSET)
    assert gone(number)


@pytest.fixture
def strangers(fleet: Fleet) -> Iterator[tuple[psutil.Popen, int]]:
    """The leader of another kernel session, which has the supervisor's process id in the records, and its child."""
    fleet.spawn("lisa-x", "exit 0")
    fleet.wait_until_ended("lisa-x")
    for path in (fleet.ref("lisa-x").heartbeat, fleet.ref("lisa-x").done):  # start times have a resolution of 10 ms
        os.utime(path, (time.time() - 1,) * 2)
    leader = psutil.Popen(["sh", "-c", "sleep 600 & echo $! >child; wait"], start_new_session=True,
                          cwd=fleet.machine.project)  # fmt: skip
    child = psutil.Process(pid(fleet, "child"))
    meta = session_records.read_meta(fleet.ref("lisa-x"))
    assert meta is not None
    session_records.write_meta(
        fleet.ref("lisa-x"), msgspec.structs.replace(meta, pane_pid=leader.pid, pane_started=1.0)
    )
    yield leader, child.pid
    for process in (child, leader):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    leader.wait()


def test_kernel_session_of_a_reused_pid_is_not_touched(fleet: Fleet, strangers: tuple[psutil.Popen, int]) -> None:
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert strangers[0].is_running()
    assert not gone(strangers[1])


@pytest.mark.parametrize("clock", ["as before", "set back"])
def test_members_after_the_end_of_the_supervisor_remain(
    fleet: Fleet, strangers: tuple[psutil.Popen, int], clock: str
) -> None:
    leader, child = strangers
    if clock == "set back":
        os.utime(fleet.ref("lisa-x").heartbeat, (time.time() + 3600,) * 2)
    leader.kill()
    leader.wait()
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert [(left.pid, left.command) for left in killed.left or ()] == [(child, "sleep 600")]
    assert (killed.left or ())[0].reason
    assert not killed.errors
    assert not gone(child)


def test_ending_process_is_not_reported_as_left(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the end of its memory and its own end a process has no environment that would show its run."""
    fleet.spawn("lisa-x")
    find, wait_for_exit = terminate._find_processes, terminate._wait_for_exit
    ending, waited = [processes.read_process(os.getpid())], []

    def find_one_more(ctx: Any, runs: Any, survey: Any, seen: Any = None) -> Any:
        found = find(ctx, runs, survey, seen)
        if seen is not None and not found.certain and ending:
            found.doubtful[runs[0].ref] = {0: ending.pop()}
        return found

    def wait(ctx: Any, watched: Any, seconds: float) -> None:
        if [each.pid for each in watched] == [os.getpid()]:
            waited.append(seconds)
        else:
            wait_for_exit(ctx, watched, seconds)

    monkeypatch.setattr(terminate, "_find_processes", find_one_more)
    monkeypatch.setattr(terminate, "_wait_for_exit", wait)
    assert kill.kill_session(fleet.ctx, fleet.ref("lisa-x")).left is UNSET
    assert not ending and waited == [terminate.DOUBT_SECONDS]


# -- children -----------------------------------------------------------------------------------------------------


def child(fleet: Fleet, name: str, parent: str, *, root: str = "", parent_root: str = "") -> None:
    """A session spawned by the agent of another one."""
    ref = fleet.ctx.ref(parent, parent_root)
    meta = session_records.read_meta(ref)
    assert meta is not None
    variables = {"LISA_SESSION_NAME": parent, "LISA_RUN_ID": meta.run_id, "LISA_SESSION_DIR": ref.folder}
    fleet.machine.env.update(variables)
    try:
        fleet.spawn(name, root=root)
    finally:
        for variable in variables:
            del fleet.machine.env[variable]


def test_children_end_first_and_others_stay(fleet: Fleet) -> None:
    fleet.spawn("lisa-top")
    fleet.spawn("lisa-stranger")
    child(fleet, "lisa-child", "lisa-top")
    child(fleet, "lisa-grandchild", "lisa-child")
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-top"))
    assert killed.descendants == (
        "lisa-grandchild",
        "lisa-child",
    )
    assert fleet.names() == ["lisa-stranger"]
    assert fleet.reasons("lisa-child")[-1] == "kill_descendant_success"


def test_children_are_linked_by_run_id_across_projects(fleet: Fleet) -> None:
    """C13: what links them is the run, not the name."""
    other = fleet.machine.folder / "other"
    other.mkdir()
    fleet.spawn("lisa-top")
    child(fleet, "lisa-child", "lisa-top", root=str(other))
    fleet.spawn("lisa-top", root=str(other))
    fleet.machine.env.update(LISA_SESSION_NAME="lisa-top", LISA_RUN_ID="1")
    fleet.spawn("lisa-others", root=str(other))
    killed = kill.kill_session(fleet.ctx, fleet.ctx.ref("lisa-top", str(fleet.machine.project)))
    assert killed.descendants == ("lisa-child",)
    there = fleet.ctx.tmux(fleet.ctx.project(str(other))).list_panes()
    assert sorted(pane.session for pane in there) == ["lisa-others", "lisa-top"]


def test_children_of_an_unlisted_parent_are_found(fleet: Fleet) -> None:
    other = fleet.machine.folder / "other"
    other.mkdir()
    fleet.spawn("lisa-top")
    child(fleet, "lisa-child", "lisa-top", root=str(other))
    (fleet.folder("lisa-top") / "children.jsonl").unlink()
    assert kill.kill_session(fleet.ctx, fleet.ref("lisa-top")).descendants == ("lisa-child",)


def test_children_spawned_during_a_kill_are_killed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fleet.machine.folder / "other"
    other.mkdir()
    fleet.spawn("lisa-top")
    end, late = terminate.end_processes, ["lisa-late"]

    def end_and_spawn(*args: Any, **options: Any) -> Any:
        report = end(*args, **options)
        if late:
            child(fleet, late.pop(), "lisa-top", root=str(other))
            child(fleet, "lisa-later", "lisa-late", root=str(other), parent_root=str(other))
        return report

    monkeypatch.setattr(terminate, "end_processes", end_and_spawn)
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-top"))
    assert killed.descendants == ("lisa-later", "lisa-late")


def test_kill_reads_no_session_of_another_project(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fleet.machine.folder / "other"
    other.mkdir()
    fleet.spawn("lisa-top")
    fleet.spawn("lisa-stranger", root=str(other))
    folder = fleet.ctx.ref("lisa-stranger", str(other)).project.folder
    pruning.prune_hourly(fleet.ctx.settings, fleet.ctx.clock.now())
    read = files.list_names
    looked: list[str] = []
    monkeypatch.setattr(files, "list_names", lambda path: (looked.append(path), read(path))[1])
    assert kill.kill_session(fleet.ctx, fleet.ref("lisa-top")).ok
    assert looked and not [path for path in looked if path.startswith(folder)]


def test_cycle_of_parents_is_killed_once(fleet: Fleet) -> None:
    for name, parent in (("lisa-a", "lisa-b"), ("lisa-b", "lisa-a")):
        fleet.machine.env["LISA_SESSION_NAME"] = parent
        fleet.spawn(name)
    del fleet.machine.env["LISA_SESSION_NAME"]
    killed = kill.kill_session(fleet.ctx, fleet.ref("lisa-a"))
    assert killed.descendants == ("lisa-b",)
    assert fleet.names() == []


def test_an_agent_may_kill_the_session_it_runs_in(machine: LisaHost, fleet: Fleet) -> None:
    lisa = " ".join([*PROGRAM, "session", "kill", "--session", "lisa-x"])
    fleet.spawn("lisa-x", f"echo $$ >agent; {lisa}; sleep 600")
    number = pid(fleet, "agent")
    wait_until(lambda: gone(number) and not fleet.names())
    wait_until(lambda: fleet.files("lisa-x") == ["events.jsonl"])
    wait_until(lambda: fleet.reasons("lisa-x")[-1] == "kill_success")


# -- all hashes, all sessions -------------------------------------------------------------------------------------


def test_all_hashes_removes_ended_sessions_only(fleet: Fleet) -> None:
    ended, runs = fleet.machine.folder / "ended", fleet.machine.folder / "runs"
    for root in (ended, runs):
        root.mkdir()
    fleet.spawn("lisa-x")
    fleet.spawn("lisa-x", "exit 0", root=str(ended))
    fleet.spawn("lisa-x", root=str(runs))
    fleet.ctx.tmux(fleet.ctx.project(str(ended))).kill_server()
    kill.kill_session(fleet.ctx, fleet.ctx.ref("lisa-x", str(fleet.machine.project)), all_hashes=True)
    assert not os.path.exists(fleet.ctx.ref("lisa-x", str(ended)).meta)
    assert os.path.exists(fleet.ctx.ref("lisa-x", str(runs)).meta)
    assert [pane.session for pane in fleet.ctx.tmux(fleet.ctx.project(str(runs))).list_panes()] == ["lisa-x"]


def test_unresponsive_sessions_share_one_grace_period(fleet: Fleet) -> None:
    for n in range(6):
        fleet.spawn(f"lisa-{n}", STUBBORN.format(name=f"deaf{n}"))
    numbers = [pid(fleet, f"deaf{n}") for n in range(6)]
    began = time.monotonic()
    result = kill.kill_all_sessions(fleet.ctx, fleet.ctx.project())
    assert time.monotonic() - began < 6 * 0.4 + 1
    assert (result.killed, result.errors) == (6, UNSET)
    assert all(gone(number) for number in numbers)
    assert os.listdir(fleet.machine.sockets) == []


def test_kill_and_spawn_of_one_name_are_serialized(fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    words = ("session", "spawn", "--session", "lisa-x", "--command", "exec sleep 600", "--json")
    for _ in range(2):
        killing = fleet.machine.start("session", "kill", "--session", "lisa-x", "--json")
        spawning = [fleet.machine.start(*words) for _ in range(2)]
        for process in (killing, *spawning):
            process.communicate(timeout=60)
        there = fleet.names() == ["lisa-x"]
        assert there == ("meta.json" in fleet.files("lisa-x"))
        if not there:
            fleet.spawn("lisa-x")


def test_library_call_keeps_signal_handlers(fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    kill.kill_session(fleet.ctx, fleet.ref("lisa-x"))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_concurrent_kill_is_waited_for(fleet: Fleet) -> None:
    fleet.spawn("lisa-x", STUBBORN.format(name="deaf"))
    pid(fleet, "deaf")
    killing = [fleet.machine.start("session", "kill", "--session", "lisa-x", "--json") for _ in range(2)]
    for process in killing:
        process.communicate(timeout=60)
    assert sorted(process.returncode for process in killing) == [0, 1]


def test_kill_of_the_own_session_changes_no_signal_handler(machine: LisaHost) -> None:
    """Only the command line ignores TERM then; a server or a thread keeps its handlers."""
    calls = []
    ctx = machine.context(on_own_end=lambda: calls.append(True))
    ref = ctx.ref("lisa-own")
    before = signal.getsignal(signal.SIGTERM)
    own = processes.read_process(os.getpid())
    assert own is not None
    run = terminate.SessionRun(ref=ref, run_id="", roots=(own,))
    assert (
        terminate._find_processes(ctx, [run], terminate._Survey(set(), {}))
        .certain.get(ref, {})
        .keys()
        .isdisjoint({os.getpid()})
    )
    assert calls == [True] and signal.getsignal(signal.SIGTERM) is before
