"""cleanup: dead servers and records are removed, live ones are kept."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.fleet import Fleet
from tests.lisa_host import LisaHost, find_server_pid, kill_process
from tests.polling import wait_until


@pytest.fixture(autouse=True)
def fast(machine: LisaHost) -> None:
    machine.env["LISA_CMD_TIMEOUT_SECONDS"] = "2"


def dead_server(fleet: Fleet, root: Path) -> Path:
    """A socket whose server was killed."""
    root.mkdir(exist_ok=True)
    fleet.spawn("lisa-crashed", root=str(root))
    tmux = fleet.ctx.tmux(fleet.ctx.project(str(root)))
    kill_process(find_server_pid(tmux))
    wait_until(lambda: tmux.is_listening() is False)
    return Path(tmux.socket)


def test_scenario_17_keeps_a_detached_server_with_live_agent(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-lives")
    fleet.spawn("lisa-ended", "exit 0")
    fleet.wait_until_ended("lisa-ended")
    answer = machine.lisa("cleanup", "--json")
    assert answer.code == 0
    assert (answer.json["killedServers"], answer.json["removed"], answer.json["keptActive"]) == (0, 0, 1)
    assert fleet.names() == ["lisa-ended", "lisa-lives"]


def test_the_socket_of_a_dead_server_is_removed(machine: LisaHost, fleet: Fleet) -> None:
    socket = dead_server(fleet, machine.folder / "crashed")
    fleet.spawn("lisa-lives")
    dry = machine.lisa("cleanup", "--dry-run", "--json").json
    assert (dry["dryRun"], dry["scanned"], dry["wouldRemove"], dry["wouldKillServers"], dry["keptActive"]) == (
        *(True, 2, 1, 0, 1),
    )
    assert (dry["removed"], dry["killedServers"]) == (0, 0)
    assert socket.exists()
    answer = machine.lisa("cleanup", "--json").json
    assert (answer["scanned"], answer["removed"], answer["wouldRemove"], answer["keptActive"]) == (2, 1, 0, 1)
    assert not socket.exists()
    assert [path.name for path in machine.sockets.iterdir()] == [Path(fleet.ctx.project().socket).name]


def test_removes_a_dead_server_and_keeps_last_screens(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "echo famous last words; exit 3")
    fleet.wait_until_ended("lisa-x")
    wait_until(lambda: (pane := fleet.pane("lisa-x")) and pane.dead)
    dry = machine.lisa("cleanup", "--dry-run", "--json").json
    assert (dry["wouldKillServers"], dry["wouldRemove"]) == (1, 1)
    assert fleet.names() == ["lisa-x"]
    answer = machine.lisa("cleanup")
    assert answer.out == (
        "cleanup: scanned 1 sockets, removed 1 stale sockets, killed 1 detached servers, kept 0 active\n"
    )
    assert list(machine.sockets.iterdir()) == []
    assert "famous last words" in (fleet.folder("lisa-x") / "output.txt").read_text()


def test_empty_server_is_removed(machine: LisaHost, fleet: Fleet) -> None:
    tmux = fleet.ctx.tmux(fleet.ctx.project())
    fleet.spawn("lisa-x", "exec sleep 600")
    tmux.as_libtmux().kill_session("lisa-x")
    assert machine.lisa("cleanup", "--json").json["killedServers"] == 1
    assert tmux.is_listening() is False


def test_attached_server_is_kept(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x", "exit 0")
    fleet.wait_until_ended("lisa-x")
    tmux = fleet.ctx.tmux(fleet.ctx.project())
    wait_until(lambda: (pane := fleet.pane("lisa-x")) and pane.dead)
    leader, follower = pty.openpty()
    client = subprocess.Popen(
        ["tmux", "-S", tmux.socket, "attach", "-t", "=lisa-x"], env=machine.env, stdin=follower, stdout=follower
    )
    try:
        wait_until(lambda: tmux.count_clients() == 1)
        answer = machine.lisa("cleanup", "--json").json
        assert (answer["keptActive"], answer["killedServers"]) == (1, 0)
        assert "attached" in answer["sockets"][0]["why"]
    finally:
        client.terminate()
        client.wait()
        os.close(leader)
        os.close(follower)


def test_keeps_files_that_are_not_sockets(machine: LisaHost) -> None:
    impostor = machine.sockets / "lisa-tmux-proj-0123abcd.sock"
    impostor.write_text("precious")
    link = machine.sockets / "lisa-tmux-proj-0123abce.sock"
    link.symlink_to(impostor)
    answer = machine.lisa("cleanup", "--json").json
    assert (answer["scanned"], answer["removed"]) == (0, 0)
    assert impostor.read_text() == "precious"
    assert link.is_symlink()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file of another user")
def test_socket_of_another_user_is_kept(machine: LisaHost, fleet: Fleet) -> None:
    socket = dead_server(fleet, machine.folder / "crashed")
    os.chown(socket, 12345, -1)
    assert machine.lisa("cleanup", "--json").json["scanned"] == 0
    assert socket.exists()


def test_hanging_server_is_reported_and_kept(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    pid = find_server_pid(fleet.ctx.tmux(fleet.ctx.project()))
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = machine.lisa("cleanup", "--json")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (answer.code, answer.json["errorCode"]) == (1, "cleanup_socket_errors")
    assert len(answer.json["errors"]) == 1
    assert answer.err.startswith("cleanup warning: ")
    assert fleet.names() == ["lisa-x"]


def test_include_default_removes_only_dead_user_sockets(machine: LisaHost) -> None:
    machine.env["TMUX_TMPDIR"] = str(machine.folder)
    tmux = ["tmux", "-f", "/dev/null"]
    subprocess.run(
        [*tmux, "new-session", "-d", "-s", "mine", "true", ";", "set", "-g", "remain-on-exit", "on"],
        env=machine.env,
        check=True,
    )
    subprocess.run([*tmux, "-L", "other", "new-session", "-d"], env=machine.env, check=True)
    folder = machine.folder / f"tmux-{os.getuid()}"
    pid = subprocess.run(
        [*tmux, "-L", "other", "display-message", "-p", "#{pid}"], env=machine.env, capture_output=True, check=True
    )
    kill_process(int(pid.stdout))
    try:
        assert machine.lisa("cleanup", "--json").json["scanned"] == 0
        answer = machine.lisa("cleanup", "--include-tmux-default", "--json").json
        assert {Path(each["socket"]).name: each["what"] for each in answer["sockets"]}["other"] == "removed"
        assert not (folder / "other").exists()
        assert answer["killedServers"] == 0
    finally:
        subprocess.run([*tmux, "kill-server"], env=machine.env, capture_output=True, check=False)


def test_without_tmux_keeps_live_servers_with_error(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    answer = machine.lisa("cleanup", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "cleanup_socket_errors")
    assert fleet.names() == ["lisa-x"]


def test_nothing_to_clean_creates_nothing(machine: LisaHost) -> None:
    answer = machine.lisa("cleanup", "--dry-run")
    assert (answer.code, answer.out) == (
        0,
        "cleanup (dry-run): scanned 0 sockets, would remove 0 stale sockets, would kill 0 detached servers,"
        " kept 0 active\n",
    )
    assert not (machine.folder / "state").exists()
