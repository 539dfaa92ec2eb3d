"""host/tmux against a real tmux server."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from libtmux.constants import OptionScope

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.host import processes, sockets
from lisa_py.host.env import read_settings
from lisa_py.host.run import find_program
from lisa_py.host.tmux import Pane, Tmux
from tests.lisa_host import LisaHost, find_server_pid, kill_process
from tests.polling import wait_until
from tests.tmux_stub import TmuxStub

RECEIVER = """
import os, sys, tty
tty.setraw(0)
sys.stdout.write("\\x1b[?2004h" + "ready")
sys.stdout.flush()
out = open(sys.argv[1], "ab", buffering=0)
while True:
    out.write(os.read(0, 65536))
"""


@pytest.fixture
def tmux(machine: LisaHost) -> Tmux:
    ctx = machine.context()
    return ctx.tmux(ctx.project())


def start(tmux: Tmux, machine: LisaHost, name: str, *argv: str, root: Path | None = None) -> Pane:
    words = argv or ("/bin/sleep", "600")
    return tmux.new_session(name, words, root=str(root or machine.project), width=90, height=20)


def screen(tmux: Tmux, pane: Pane) -> str:
    return tmux.capture([pane.pane_id])[pane.pane_id]


def receiver(tmux: Tmux, machine: LisaHost, name: str = "lisa-in") -> tuple[Pane, Path]:
    """A pane whose program writes every byte it gets to a file, with bracketed paste on."""
    took = machine.folder / f"{name}.bytes"
    pane = start(tmux, machine, name, sys.executable, "-c", RECEIVER, str(took))
    wait_until(lambda: "ready" in screen(tmux, pane))
    return pane, took


def count_connections(tmux: Tmux) -> int:
    """Return the number of clients, with those that the server has not accepted, or not forgotten, yet."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(f" {tmux.socket}") for line in lines) - 1


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


# -- names ------------------------------------------------------------------------------------------------------


def test_prefix_of_a_name_does_not_match(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-alpha-worker")
    assert tmux.find_pane("lisa-al") is None
    assert tmux.kill_session("lisa-al") is False
    assert tmux.find_pane("lisa-alpha-worker") is not None


def test_window_name_is_not_a_session_name(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-one")
    tmux.call("rename-window", "-t", "=lisa-one:", "lisa-two")
    assert tmux.find_pane("lisa-two") is None


def test_the_second_session_of_a_name_is_refused(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-one")
    with pytest.raises(LisaError) as refused:
        start(tmux, machine, "lisa-one")
    assert refused.value.code == "session_already_exists"


# -- what runs --------------------------------------------------------------------------------------------------


def test_arguments_reach_the_program_unchanged(tmux: Tmux, machine: LisaHost) -> None:
    words = ["a;", "\\;", ";", "x\\;", "#{pane_id}", "#(touch pwned)", "$HOME", "it's", 'a "b"', "", "ü ✳", "-x", "{"]
    script = "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))"
    out = machine.folder / "argv"
    start(tmux, machine, "lisa-argv", sys.executable, "-c", script, str(out), *words)
    wait_until(lambda: read(out))
    assert out.read_text() == repr(words)


def test_session_variables_are_unchanged(tmux: Tmux, machine: LisaHost) -> None:
    words = ("/bin/sh", "-c", 'printf "%s" "$TOLD" >told; exec sleep 600')
    value = "a=b #{pane_id} $HOME 'x' ü;"
    tmux.new_session("lisa-x", words, root=str(machine.project), width=80, height=24, env={"TOLD": value})
    wait_until(lambda: read(machine.project / "told"))
    assert (machine.project / "told").read_text() == value


@pytest.mark.parametrize("name", ["a b;", "#(touch pwned)", "#{pane_id}", "日本 ü", "n" * 250, "it's $HOME"])
def test_root_folder_is_unchanged(tmux: Tmux, machine: LisaHost, name: str) -> None:
    root = machine.folder / name
    root.mkdir()
    start(tmux, machine, "lisa-root", "/bin/sh", "-c", "pwd -P >here; exec sleep 600", root=root)
    wait_until(lambda: read(root / "here"))
    assert (root / "here").read_text() == f"{root}\n"
    assert not (machine.project / "pwned").exists()


def test_ended_program_leaves_a_readable_pane(tmux: Tmux, machine: LisaHost) -> None:
    pane = start(tmux, machine, "lisa-short", "/bin/sh", "-c", "echo famous last words; sleep 0.1; exit 3")
    wait_until(lambda: (now := tmux.find_pane("lisa-short")) and now.dead)
    tmux.reap_children()
    found = wait_until(lambda: (now := tmux.find_pane("lisa-short")) and now.dead_status and now)
    assert (found.dead, found.dead_status) == (True, "3")
    assert screen(tmux, pane) == "famous last words"


def test_signal_of_a_dead_pane_is_reported(tmux: Tmux, machine: LisaHost) -> None:
    pane = start(tmux, machine, "lisa-killed")
    os.kill(pane.pid, signal.SIGKILL)
    wait_until(lambda: (now := tmux.find_pane("lisa-killed")) and now.dead)
    tmux.reap_children()
    found = wait_until(lambda: (now := tmux.find_pane("lisa-killed")) and now.dead_signal and now)
    assert (found.dead_status, found.dead_signal) == ("", "9")


# -- the server -------------------------------------------------------------------------------------------------


def test_users_tmux_conf_and_shell_are_ignored(tmux: Tmux, machine: LisaHost) -> None:
    (machine.home / ".tmux.conf").write_text("set -g destroy-unattached on\nset -g status on\nset -g base-index 7\n")
    machine.env["SHELL"] = "/bin/false"
    server = Tmux(tmux.socket, read_settings(machine.env))
    pane = start(server, machine, "lisa-conf")
    assert (pane.width, pane.height) == (90, 20)
    options = server.as_libtmux()
    expected = {
        "base-index": 0,
        "destroy-unattached": False,
        "default-shell": "/bin/sh",
        "status": False,
        "history-limit": 50_000,
    }
    assert {name: options.show_option(name, global_=True, scope=OptionScope.Session) for name in expected} == expected
    assert options.show_option("exit-empty", scope=OptionScope.Server) is False
    assert options.show_option("remain-on-exit", global_=True, scope=OptionScope.Window) is True


def test_server_does_not_inherit_the_caller_environment(tmux: Tmux, machine: LisaHost) -> None:
    machine.env.update(SOME_TOKEN="hush", TMUX="/tmp/dangling,1,0", TMUX_PANE="%7")
    server = Tmux(tmux.socket, read_settings(machine.env))
    start(server, machine, "lisa-env", "/bin/sh", "-c", "env >environment; exec sleep 600")
    assert "SOME_TOKEN" not in server.as_libtmux().show_environment()
    text = wait_until(lambda: read(machine.project / "environment")).decode()
    assert "hush" not in text
    assert "/tmp/dangling" not in text


def test_server_outlives_its_last_session(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-last")
    pid = find_server_pid(tmux)
    tmux.kill_session("lisa-last")
    assert tmux.list_panes() == []
    assert find_server_pid(tmux) == pid
    assert stat.S_IMODE(os.stat(tmux.socket).st_mode) & 0o077 == 0


def test_stop_if_unused_stops_only_an_empty_server(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-last")
    assert tmux.stop_if_unused() is False
    assert tmux.find_pane("lisa-last") is not None
    pid = find_server_pid(tmux)
    tmux.kill_session("lisa-last")
    assert tmux.stop_if_unused() is True
    assert not processes.is_running(pid, 0)
    assert not os.path.lexists(tmux.socket)
    start(tmux, machine, "lisa-again")


def test_stop_if_unused_stops_ended_sessions_on_request(tmux: Tmux, machine: LisaHost) -> None:
    for name in ("lisa-a", "lisa-b"):
        start(tmux, machine, name, "/bin/true")
    living = start(tmux, machine, "lisa-c")
    wait_until(lambda: sum(pane.dead for pane in tmux.list_panes()) == 2)
    assert tmux.stop_if_unused(with_ended_sessions=True) is False
    os.kill(living.pid, signal.SIGKILL)
    wait_until(lambda: all(pane.dead for pane in tmux.list_panes()))
    assert tmux.stop_if_unused() is False
    assert tmux.stop_if_unused(with_ended_sessions=True) is True
    assert tmux.is_listening() is False


@pytest.mark.skipif(sys.platform != "linux", reason="connections that wait for a server are known by /proc/net/unix")
@pytest.mark.parametrize("with_ended_sessions", [False, True])
def test_session_starts_while_its_unused_server_stops(with_ended_sessions: bool, tmux: Tmux, machine: LisaHost) -> None:
    """Both clients wait for the server, which takes the one that stops it first, and then the other."""
    start(tmux, machine, "lisa-last", "/bin/true")
    wait_until(lambda: tmux.list_panes()[0].dead)
    ended = tmux.list_panes()
    if not with_ended_sessions:
        tmux.kill_session("lisa-last")
    pid = find_server_pid(tmux)
    tmux.list_panes = lambda *words, **more: ended  # type: ignore[method-assign] # it lists them before it asks
    with ThreadPoolExecutor(2) as pool:
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
            before = count_connections(tmux)
            stopped = pool.submit(tmux.stop_if_unused, with_ended_sessions=with_ended_sessions)
            wait_until(lambda: count_connections(tmux) == before + 1)
            made = pool.submit(start, Tmux(tmux.socket, read_settings(machine.env)), machine, "lisa-next")
            wait_until(lambda: count_connections(tmux) == before + 2)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (stopped.result(20), made.result(20).session) == (False, "lisa-next")
    assert [pane.session for pane in Tmux(tmux.socket, read_settings(machine.env)).list_panes()] == ["lisa-next"]


def test_only_the_socket_of_a_dead_server_is_discarded(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-x")
    assert sockets.remove_socket(tmux.socket, 1) is False
    kill_process(find_server_pid(tmux))
    wait_until(lambda: tmux.is_listening() is False)
    assert sockets.remove_socket(tmux.socket, 1) is True
    assert list(machine.sockets.iterdir()) == []
    Path(tmux.socket).write_text("precious")
    assert sockets.remove_socket(tmux.socket, 1) is False
    assert Path(tmux.socket).read_text() == "precious"


def test_sessions_start_after_a_server_crash(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-before")
    kill_process(find_server_pid(tmux))
    wait_until(lambda: tmux.is_listening() is False)
    assert os.path.exists(tmux.socket)
    assert tmux.list_panes() == []
    assert tmux.find_pane("lisa-before") is None
    start(tmux, machine, "lisa-after")
    assert [pane.session for pane in tmux.list_panes()] == ["lisa-after"]


def test_one_call_kills_panes_and_skips_missing_ones(tmux: Tmux, machine: LisaHost) -> None:
    panes = [start(tmux, machine, f"lisa-{number:03}") for number in range(70)]
    tmux.call("split-window", "-d", "-t", panes[3].pane_id, "sleep 600")
    tmux.kill_session("lisa-001")
    tmux.kill_session("lisa-065")
    calls: list[Sequence[str]] = []
    counting = Tmux(tmux.socket, read_settings(machine.env))
    run = counting.call
    counting.call = lambda *words, **more: (calls.append(words), run(*words, **more))[1]  # type: ignore[method-assign]
    left = counting.kill_panes(panes[:2] + panes[3:69])
    assert [pane.session for pane in left] == ["lisa-002", "lisa-003", "lisa-069"]
    assert len(calls) == 4  # 60 at a time, and again after each missing one
    assert counting.kill_panes(left) == [] == counting.kill_panes(left)
    assert counting.is_listening()
    tmux.kill_server()
    assert counting.kill_panes(left) == []


def test_session_starts_right_after_kill_server(tmux: Tmux, machine: LisaHost) -> None:
    for turn in range(8):
        start(tmux, machine, f"lisa-turn-{turn}")
        tmux.kill_server()
    start(tmux, machine, "lisa-final")
    assert tmux.find_pane("lisa-final") is not None


def test_calls_are_repeated_while_the_server_ends(tmux: Tmux, machine: LisaHost) -> None:
    """On a busy machine the next call may get the same answer."""
    start(tmux, machine, "lisa-there")
    attempts = machine.folder / "asked"
    machine.add_program(
        "tmux",
        f"""#!/bin/sh
echo x >>{attempts}
if [ "$(wc -l <{attempts})" -lt 6 ]; then echo 'server exited unexpectedly' >&2; exit 1; fi
echo 'no server running on {tmux.socket}' >&2
exit 1
""",
    )
    ending = Tmux(tmux.socket, read_settings(machine.env))
    assert ending.kill_session("lisa-there") is False
    assert len(attempts.read_text().splitlines()) == 6
    attempts.unlink()
    with TmuxStub(str(machine.sockets / "closing.sock"), b"") as closing:
        assert Tmux(closing.path, read_settings(machine.env)).list_panes() == []
    assert len(attempts.read_text().splitlines()) == 6


def test_hanging_server_is_unavailable(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-there")
    machine.env["LISA_CMD_TIMEOUT_SECONDS"] = "1"
    hasty = Tmux(tmux.socket, read_settings(machine.env))
    pid = find_server_pid(hasty)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TmuxUnavailable):
            hasty.find_pane("lisa-there")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert tmux.find_pane("lisa-there") is not None


def test_missing_tmux_has_its_own_code(tmux: Tmux, machine: LisaHost) -> None:
    machine.env["PATH"] = str(machine.bin)
    with pytest.raises(TmuxUnavailable) as refused:
        Tmux(tmux.socket, read_settings(machine.env)).find_pane("lisa-x")
    assert refused.value.code == "tmux_missing"


def test_tmux_removed_during_use_is_missing(machine: LisaHost, tmp_path: Path) -> None:
    program = tmp_path / "tmux"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o700)
    machine.env["PATH"] = str(tmp_path)
    server = Tmux(str(tmp_path / "x.sock"), read_settings(machine.env))
    assert server.call("list-sessions").code == 1
    program.unlink()
    for _ in range(2):
        with pytest.raises(TmuxUnavailable) as refused:
            server.call("list-sessions")
        assert refused.value.code == "tmux_missing"


def test_start_is_repeated_if_the_server_is_killed_meanwhile(tmux: Tmux, machine: LisaHost) -> None:
    """Its client then ends with code 0, without a word."""
    real, seen = find_program("tmux", machine.env["PATH"]), machine.folder / "seen"
    machine.add_program("tmux", f'#!/bin/sh\n[ -e {seen} ] && exec {real} "$@"\n: >{seen}\n')
    machine.env["PATH"] = f"{machine.bin}:{machine.env['PATH']}"
    assert start(Tmux(tmux.socket, read_settings(machine.env)), machine, "lisa-again") == tmux.find_pane("lisa-again")


def test_session_is_found_if_tmux_prints_no_line(tmux: Tmux, machine: LisaHost) -> None:
    real = find_program("tmux", machine.env["PATH"])
    machine.add_program(
        "tmux", f'#!/bin/sh\ncase "$*" in *new-session*) {real} "$@" >/dev/null;; *) exec {real} "$@";; esac\n'
    )
    machine.env["PATH"] = f"{machine.bin}:{machine.env['PATH']}"
    silent = Tmux(tmux.socket, read_settings(machine.env))
    pane = start(silent, machine, "lisa-silent", "sleep", "60")
    assert tmux.find_pane("lisa-silent") == pane


def test_regular_file_at_socket_path_is_kept(tmux: Tmux, machine: LisaHost) -> None:
    Path(tmux.socket).write_text("precious")
    with pytest.raises(TmuxUnavailable):
        tmux.find_pane("lisa-x")
    with pytest.raises(TmuxUnavailable):
        start(tmux, machine, "lisa-x")
    assert Path(tmux.socket).read_text() == "precious"
    assert tmux.is_listening() is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file of another user")
def test_socket_or_folder_of_another_user_is_refused(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-x")
    os.chown(tmux.socket, 12345, -1)
    with pytest.raises(TmuxUnavailable, match="another user"):
        tmux.find_pane("lisa-x")
    os.chown(tmux.socket, os.getuid(), -1)
    foreign = machine.folder / "foreign"
    foreign.mkdir()
    os.chown(foreign, 12345, -1)
    with pytest.raises(LisaError, match="another user"):
        start(Tmux(str(foreign / "s.sock"), machine.context().settings), machine, "lisa-y")


def test_new_socket_folder_is_private(tmux: Tmux, machine: LisaHost) -> None:
    folder = machine.sockets / "deeper" / "still"
    start(Tmux(str(folder / "s.sock"), machine.context().settings), machine, "lisa-x")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_long_socket_folder_name_works(machine: LisaHost) -> None:
    folder = machine.folder / ("d" * 120)
    folder.mkdir(mode=0o700)
    machine.env["LISA_TMUX_SOCKET_DIR"] = str(folder)
    ctx = machine.context()
    tmux = ctx.tmux(ctx.project())
    start(tmux, machine, "lisa-x")
    assert tmux.find_pane("lisa-x") is not None
    assert stat.S_IMODE(Path(tmux.socket).parent.stat().st_mode) == 0o700


def test_is_listening(tmux: Tmux, machine: LisaHost) -> None:
    assert tmux.is_listening() is False
    start(tmux, machine, "lisa-x")
    assert tmux.is_listening() is True


# -- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LANG": ""}, {"LANG": "C.UTF-8"}])
def test_non_ascii_text_is_read_in_any_locale(tmux: Tmux, machine: LisaHost, locale: dict[str, str]) -> None:
    machine.env.update(locale)
    server = Tmux(tmux.socket, read_settings(machine.env))
    pane = start(
        server, machine, "lisa-utf", "/bin/sh", "-c", "printf '\\033]2;✳ tïtle\\033\\\\ä ❯ 日本'; exec sleep 600"
    )
    wait_until(lambda: screen(server, pane))
    assert screen(server, pane) == "ä ❯ 日本"
    assert [found.title for found in server.list_panes()] == ["✳ tïtle"]


def test_soft_wrapped_lines_are_joined(tmux: Tmux, machine: LisaHost) -> None:
    pane = start(tmux, machine, "lisa-wrap", "/bin/sh", "-c", "printf '%0200d\\nend\\n' 7; exec sleep 600")
    wait_until(lambda: "end" in screen(tmux, pane))
    assert screen(tmux, pane) == "0" * 199 + "7\nend"


def test_capture_of_many_panes_omits_missing_ones(tmux: Tmux, machine: LisaHost) -> None:
    panes = [start(tmux, machine, f"lisa-{n}", "/bin/sh", "-c", f"echo text of {n}; exec sleep 600") for n in range(66)]
    wanted = {pane.pane_id: f"text of {n}" for n, pane in enumerate(panes)}
    wait_until(lambda: tmux.capture(list(wanted)) == wanted)
    for n in (0, 30, 65):
        tmux.kill_session(f"lisa-{n}")
    kept = {pane.pane_id: f"text of {n}" for n, pane in enumerate(panes) if n not in (0, 30, 65)}
    assert tmux.capture([*wanted, "%9999"]) == kept


def test_history_above_the_screen_is_read_on_request(tmux: Tmux, machine: LisaHost) -> None:
    pane = start(tmux, machine, "lisa-hist", "/bin/sh", "-c", "seq 100; exec sleep 600")
    wait_until(lambda: "100" in screen(tmux, pane))
    assert screen(tmux, pane).startswith("82")
    assert tmux.capture([pane.pane_id], history=30)[pane.pane_id].startswith("52")


# -- telling ----------------------------------------------------------------------------------------------------


def test_paste_arrives_as_one_bracketed_paste(tmux: Tmux, machine: LisaHost) -> None:
    pane, took = receiver(tmux, machine)
    text = "first; \\; #{x} #(y) $z `w` 'q' \"r\" ü✳\n\n  -n last;\n".encode() * 2000
    assert tmux.paste(pane.pane_id, text) == "ok"
    wait_until(lambda: read(took).endswith(b"\x1b[201~"))
    assert read(took) == b"\x1b[200~" + text + b"\x1b[201~"
    assert tmux.call("list-buffers").text == ""


def test_paste_refuses_a_dead_pane(tmux: Tmux, machine: LisaHost) -> None:
    pane = start(tmux, machine, "lisa-dead", "/bin/true")
    other = start(tmux, machine, "lisa-other")
    wait_until(lambda: (now := tmux.find_pane("lisa-dead")) and now.dead)
    pid = find_server_pid(tmux)
    assert tmux.paste(pane.pane_id, b"hello") == "dead"
    assert tmux.send_keys(pane.pane_id, ["Enter"]) is False
    assert find_server_pid(tmux) == pid
    assert tmux.find_pane(other.session) is not None
    assert tmux.call("list-buffers").text == ""


def test_missing_pane_leaves_no_buffer(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, "lisa-x")
    assert tmux.paste("%999", b"hello") == "gone"
    assert tmux.send_keys("%999", ["Enter"]) is False
    assert tmux.call("list-buffers").text == ""


TMUX_MODES = {
    "copy": [("copy-mode",)],
    "view": [("run-shell", "echo shown")],
    "clock": [("clock-mode",)],
    "tree": [("choose-tree",)],
    "buffer": [("set-buffer", "-b", "kept", "x"), ("choose-buffer",)],
    "options": [("customize-mode",)],
    "two modes": [("copy-mode",), ("clock-mode",), ("choose-tree",)],
}


def enter_mode(tmux: Tmux, pane: Pane, name: str) -> None:
    for command, *rest in TMUX_MODES[name]:
        target = () if command == "set-buffer" else ("-t", pane.pane_id)
        assert tmux.call(command, *target, *rest).code == 0
    found = tmux.find_pane(pane.session)
    assert found is not None
    assert found.in_mode


@pytest.mark.parametrize("mode", TMUX_MODES)
def test_every_tmux_mode_is_left_before_keys(tmux: Tmux, machine: LisaHost, mode: str) -> None:
    pane, took = receiver(tmux, machine)
    enter_mode(tmux, pane, mode)
    assert tmux.send_keys(pane.pane_id, ["a;", "C-c", "-R"]) is True
    wait_until(lambda: read(took) == b"a;\x03-R")
    found = tmux.find_pane("lisa-in")
    assert found is not None
    assert not found.in_mode


@pytest.mark.parametrize("mode", TMUX_MODES)
def test_every_tmux_mode_is_left_before_a_paste(tmux: Tmux, machine: LisaHost, mode: str) -> None:
    pane, took = receiver(tmux, machine)
    enter_mode(tmux, pane, mode)
    assert tmux.paste(pane.pane_id, b"b") == "ok"
    wait_until(lambda: read(took) == b"\x1b[200~b\x1b[201~")
    found = tmux.find_pane("lisa-in")
    assert found is not None
    assert not found.in_mode


def test_a_pane_with_input_disabled_is_refused(tmux: Tmux, machine: LisaHost) -> None:
    pane, took = receiver(tmux, machine)
    tmux.call("select-pane", "-d", "-t", pane.pane_id)
    with pytest.raises(TmuxUnavailable, match="select-pane -e"):
        tmux.paste(pane.pane_id, b"lost")
    with pytest.raises(LisaError, match="select-pane -e") as refused:
        tmux.send_keys(pane.pane_id, ["l"])
    assert refused.value.code == "send_keys_failed"
    assert tmux.call("list-buffers").text == ""
    tmux.call("select-pane", "-e", "-t", pane.pane_id)
    assert tmux.send_keys(pane.pane_id, ["k"]) is True
    wait_until(lambda: read(took) == b"k")


def test_unknown_keys_are_typed_as_text(tmux: Tmux, machine: LisaHost) -> None:
    pane, took = receiver(tmux, machine)
    assert tmux.send_keys(pane.pane_id, ["NoSuchKey"]) is True
    wait_until(lambda: read(took) == b"NoSuchKey")


def test_literal_keys_are_typed_letter_by_letter(tmux: Tmux, machine: LisaHost) -> None:
    pane, took = receiver(tmux, machine)
    tmux.send_keys(pane.pane_id, ["Enter /cömpact;"], literal=True)
    wait_until(lambda: read(took) == "Enter /cömpact;".encode())
