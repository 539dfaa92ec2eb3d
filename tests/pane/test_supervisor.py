"""pane/supervisor.sh: the command, its records and its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

import lisa_py
from lisa_py.host import file_events_many, processes
from lisa_py.host.tmux import Pane, Tmux
from tests.lisa_host import LisaHost
from tests.polling import wait_until

PANE = Path(lisa_py.__file__).parent / "pane"
SUPERVISOR = str(PANE / "supervisor.sh")
SHELLS = [[shell, *flags] for shell, *flags in (["dash"], ["bash", "--posix"]) if shutil.which(shell)] or [["sh"]]
RUN_ID = "1795230000123456789"


@pytest.fixture
def folder(machine: LisaHost) -> Path:
    path = machine.folder / "a session's folder"
    path.mkdir(mode=0o700)
    return path


def run(
    machine: LisaHost,
    folder: Path,
    command: str,
    *,
    mode: str = "exec",
    shell: list[str] | None = None,
    umask: int = 0o022,
) -> subprocess.CompletedProcess[str]:
    (folder / "command.sh").write_text(command + "\n")
    return subprocess.run(
        [*(shell or ["sh"]), SUPERVISOR, str(folder), RUN_ID, mode], env=machine.env, cwd=machine.project,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20, umask=umask,
    )  # fmt: skip


def in_pane(machine: LisaHost, folder: Path, command: str, *, mode: str = "interactive") -> tuple[Tmux, Pane]:
    (folder / "command.sh").write_text(command + "\n")
    ctx = machine.context()
    tmux = ctx.tmux(ctx.project())
    argv = ["/bin/sh", SUPERVISOR, str(folder), RUN_ID, mode, "0.3"]
    pane = tmux.new_session("lisa-pane", argv, root=str(machine.project), width=80, height=24)
    wait_until(lambda: (folder / "start").exists(), what="start record")
    return tmux, pane


def screen(tmux: Tmux, pane: Pane) -> str:
    return tmux.capture([pane.pane_id])[pane.pane_id]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 9", 9),
        ("exec sh -c 'exit 3'", 3),
        ("sleep 0.01 &", 0),
        ("echo hi # note", 0),
        ("cat <<'END'\na $b `c`\nEND", 0),
        ("false", 1),
        ("kill -TERM $$", 128 + signal.SIGTERM),
        ("kill -KILL $$", 128 + signal.SIGKILL),
        ("sh -c 'kill -SEGV $$'", 128 + signal.SIGSEGV),
        ("no-such-program-anywhere", 127),
        ("if then", 2),
    ],
)
def test_every_end_is_recorded_with_its_code(
    machine: LisaHost, folder: Path, command: str, code: int, shell: list[str]
) -> None:
    ended = run(machine, folder, command, shell=shell)
    assert ended.returncode == code
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:{code}\n"
    assert f"\n__LISA_EXEC_DONE__:{code}" in ended.stdout
    assert f"\n__LISA_SESSION_DONE__:{RUN_ID}:{code}" in ended.stdout


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_start_record_precedes_the_command(machine: LisaHost, folder: Path, shell: list[str]) -> None:
    ended = run(machine, folder, f'cp "{folder}/start" seen; echo $PPID', shell=shell)
    run_id, pid, unix = (machine.project / "seen").read_text().split()
    assert run_id == RUN_ID
    assert ended.args[0] == shell[0] and int(pid) > 1
    assert f"\n__LISA_SESSION_START__:{RUN_ID}:{unix}" in ended.stdout


def test_an_interactive_run_prints_no_exec_marker(machine: LisaHost, folder: Path) -> None:
    assert "EXEC_DONE" not in run(machine, folder, "true", mode="interactive").stdout


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_environment_file_is_read_and_removed(machine: LisaHost, folder: Path, shell: list[str]) -> None:
    text = "export A_TOKEN='it'\"'\"'s\nsecret $HOME `x`'\nexport EMPTY=''\nunset LANG\n"
    (folder / "environment").write_text(text)
    command = f'test -e "{folder}/environment" && echo still there; printf \'<%s>\' "$A_TOKEN" "${{LANG-unset}}"'
    assert "<it's\nsecret $HOME `x`><unset>" in run(machine, folder, command, shell=shell).stdout
    assert "still there" not in run(machine, folder, command, shell=shell).stdout


def test_command_keeps_umask_and_records_are_private(machine: LisaHost, folder: Path) -> None:
    run(machine, folder, "umask >out; touch made", umask=0o022)
    assert (machine.project / "out").read_text().strip() == "0022"
    assert stat.S_IMODE((machine.project / "made").stat().st_mode) == 0o644
    for name in ("start", "done.txt", "heartbeat"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_stdin_file_reaches_the_command_whole(machine: LisaHost, folder: Path) -> None:
    text = "ünïcode $x `y` 'z'\n" * 20_000
    (folder / "stdin").write_text(text)
    run(machine, folder, "cat >out")
    assert (machine.project / "out").read_text() == text


@pytest.mark.parametrize("name", ["heartbeat", "start", "done.txt", ".start.tmp", ".done.txt.tmp"])
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_symlink_in_the_folder_is_not_followed(machine: LisaHost, folder: Path, name: str, shell: list[str]) -> None:
    victim = machine.project / "victim"
    victim.write_text("precious")
    (folder / name).symlink_to(victim)
    assert run(machine, folder, "exit 4", shell=shell).returncode == 4
    assert victim.read_text() == "precious"
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:4\n"
    assert not (folder / "done.txt").is_symlink()


@pytest.fixture
def without_read_timeout(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the heartbeat use a shell that waits with `sleep`."""
    _change_heartbeat(machine, monkeypatch, "read -r -t", "read -r -Z")


def _change_heartbeat(machine: LisaHost, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    text = (PANE / "heartbeat.sh").read_text()
    assert old in text
    (machine.folder / "heartbeat.sh").write_text(text.replace(old, new))
    shutil.copy(PANE / "supervisor.sh", machine.folder)
    monkeypatch.setitem(globals(), "SUPERVISOR", str(machine.folder / "supervisor.sh"))


def wait_for_beat(heartbeat: Path) -> None:
    wait_until(heartbeat.exists)
    os.utime(heartbeat, (1, 1))
    wait_until(lambda: heartbeat.stat().st_mtime > 1, what="the next beat")


def test_heartbeat_starts_no_program(machine: LisaHost, folder: Path) -> None:
    _, pane = in_pane(machine, folder, "exec sleep 60")
    wait_for_beat(folder / "heartbeat")
    heart = find_heart(pane)
    before = heart.cpu_times()
    for _ in range(3):
        assert heart.children() == []
        wait_for_beat(folder / "heartbeat")
    after = heart.cpu_times()
    assert (after.children_user, after.children_system) == (before.children_user, before.children_system)
    assert (folder / "heartbeat").stat().st_size == 0
    assert stat.S_IMODE((folder / "heartbeat").stat().st_mode) == 0o600


@pytest.mark.usefixtures("without_read_timeout")
def test_heartbeat_of_a_shell_without_read_timeout(machine: LisaHost, folder: Path) -> None:
    _, pane = in_pane(machine, folder, "exec sleep 60")
    wait_for_beat(folder / "heartbeat")
    heart = find_heart(pane)

    def find_pause() -> int:
        """Return the process of the present pause; 0 between two."""
        with contextlib.suppress(psutil.Error):
            (child,) = heart.children()
            return child.pid if child.name() == "sleep" else 0
        return 0

    pause = wait_until(find_pause)
    os.kill(heart.pid, signal.SIGTERM)
    wait_until(lambda: not processes.is_running(pause, 0))


def test_heartbeat_is_not_a_file_event(machine: LisaHost, folder: Path) -> None:
    in_pane(machine, folder, "exec sleep 60")
    wait_for_beat(folder / "heartbeat")
    watcher = file_events_many.open_watcher()
    watcher.follow("a", [str(folder)], ())
    for _ in range(2):
        os.utime(folder / "heartbeat", (1, 1))
        assert watcher.wait(0.6) == set()
        assert (folder / "heartbeat").stat().st_mtime > 1
    watcher.close()


def test_later_heartbeat_symlink_is_not_followed(machine: LisaHost, folder: Path) -> None:
    victim = machine.project / "victim"
    victim.write_text("precious")
    heartbeat = folder / "heartbeat"
    in_pane(machine, folder, "exec sleep 60")
    wait_for_beat(heartbeat)
    again = folder / "again"
    again.hardlink_to(heartbeat)
    heartbeat.unlink()
    heartbeat.symlink_to(victim)
    wait_for_beat(again)
    assert victim.read_text() == "precious"
    heartbeat.unlink()
    (folder / ".beat" / "file").unlink()
    (folder / ".beat" / "file").symlink_to(victim)
    (folder / "limits.sh").write_text('echo beat >>"${0%/*}/seen"\n')  # runs once a beat, as it leaves no id
    wait_until(lambda: (folder / "seen").exists() and (folder / "seen").read_text().count("beat") > 1)
    assert victim.read_text() == "precious"
    assert not heartbeat.exists()


def test_missing_folder_is_not_created(machine: LisaHost, folder: Path) -> None:
    shutil.rmtree(folder)
    ended = subprocess.run(
        ["sh", SUPERVISOR, str(folder), RUN_ID, "exec"], env=machine.env, capture_output=True, check=False
    )
    assert ended.returncode != 0
    assert not folder.exists()


def test_agent_that_handles_ctrl_c_completes(machine: LisaHost, folder: Path) -> None:
    tmux, pane = in_pane(machine, folder, "trap 'echo caught; exit 0' INT; echo ready; while :; do sleep 0.05; done")
    wait_until(lambda: "ready" in screen(tmux, pane))
    tmux.send_keys(pane.pane_id, ["C-c"])
    wait_until(lambda: (folder / "done.txt").exists())
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:0\n"
    assert "caught" in screen(tmux, pane)


def _commands(pane: Pane) -> list[list[str]]:
    found = []
    for child in psutil.Process(pane.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(child.cmdline())
    return found


@pytest.mark.parametrize(("key", "code"), [("C-c", 130), ("C-\\", 131)])
def test_end_after_ctrl_c_is_recorded(machine: LisaHost, folder: Path, key: str, code: int) -> None:
    tmux, pane = in_pane(machine, folder, "exec sleep 60")
    # until then it is a shell, and bash ignores SIGQUIT
    wait_until(lambda: ["sleep", "60"] in _commands(pane), what="it runs")
    tmux.send_keys(pane.pane_id, [key])
    wait_until(lambda: (folder / "done.txt").exists())
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:{code}\n"


def test_ctrl_z_does_not_suspend_the_command(machine: LisaHost, folder: Path) -> None:
    tmux, pane = in_pane(machine, folder, "echo ready; read line; echo got $line")
    wait_until(lambda: "ready" in screen(tmux, pane))
    tmux.send_keys(pane.pane_id, ["C-z", "x", "Enter"])
    wait_until(lambda: "got x" in screen(tmux, pane))


def _lives(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_no_shell_is_left_and_the_dead_pane_can_be_read(machine: LisaHost, folder: Path) -> None:
    tmux, pane = in_pane(machine, folder, "echo last words; exit 3")
    wait_until(lambda: (folder / "done.txt").exists())
    wait_until(lambda: not _lives(pane.pid))
    text = wait_until(lambda: (shown := screen(tmux, pane)) and "SESSION_DONE" in shown and shown)
    assert "last words" in text
    assert f"__LISA_SESSION_DONE__:{RUN_ID}:3" in text
    assert tmux.find_pane("lisa-pane") is not None


@pytest.mark.parametrize("command", ["trap '' HUP; exec sleep 60", "set -m; sleep 60"])
@pytest.mark.parametrize("system", ["here", "without-proc"])
def test_killing_the_supervisor_ends_the_heartbeat(
    machine: LisaHost, folder: Path, command: str, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "without-proc":  # as on macOS
        _change_heartbeat(machine, monkeypatch, "/proc/self/stat", "/nowhere/stat")
    _, pane = in_pane(machine, folder, command)
    wait_until(lambda: "sleep 60" in [" ".join(words) for words in _commands(pane)])
    heart = find_heart(pane)
    os.kill(pane.pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(heart.pid, 0), timeout=10, what="the heartbeat loop ends by itself")


def find_heart(pane: Pane) -> psutil.Process:
    def find() -> psutil.Process | None:
        for process in psutil.Process(pane.pid).children():
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[1:2] == [os.path.join(os.path.dirname(SUPERVISOR), "heartbeat.sh")]:
                    return process
        return None

    return wait_until(find, what="the heartbeat loop")


def test_killed_supervisor_hangs_up_the_command(machine: LisaHost, folder: Path) -> None:
    _, pane = in_pane(machine, folder, "exec sleep 60")
    os.kill(pane.pid, signal.SIGKILL)
    wait_until(lambda: (folder / "done.txt").exists())
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:{128 + signal.SIGHUP}\n"


def test_killed_recorder_is_recorded_by_the_supervisor(machine: LisaHost, folder: Path) -> None:
    in_pane(machine, folder, "echo $PPID >witness; exec sleep 60")
    wait_until(lambda: (machine.project / "witness").exists() and (machine.project / "witness").read_text())
    os.kill(int((machine.project / "witness").read_text()), signal.SIGKILL)
    wait_until(lambda: (folder / "done.txt").exists())
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:{128 + signal.SIGKILL}\n"


@pytest.mark.parametrize("command", ["exec sleep 60", "trap '' HUP; cat; exit 7"], ids=["signal", "end of input"])
def test_hangup_is_recorded_with_its_exit_code(machine: LisaHost, folder: Path, command: str) -> None:
    tmux, _ = in_pane(machine, folder, command)
    tmux.kill_session("lisa-pane")
    wait_until(lambda: (folder / "done.txt").exists())
    assert (folder / "done.txt").read_text() == f"{RUN_ID}:{128 + signal.SIGHUP}\n"


def test_no_process_remains_after_the_end(machine: LisaHost, folder: Path) -> None:
    run(machine, folder, "true")
    left = [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if str(folder) in str(process.info["cmdline"]) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    assert left == []


def test_without_bash_the_command_runs_in_sh(machine: LisaHost, folder: Path) -> None:
    for name in ("sh", "date", "mv", "rm", "mkdir", "ln", "mkfifo", "sleep", "cat"):
        (machine.bin / name).symlink_to(shutil.which(name) or "")
    machine.env["PATH"] = str(machine.bin)
    assert run(machine, folder, "exit 6", shell=["/bin/sh"]).returncode == 6


def test_command_starts_in_a_folder_with_special_characters(machine: LisaHost, folder: Path) -> None:
    assert str(machine.project) in run(machine, folder, "pwd -P").stdout


@pytest.mark.parametrize("variable", ["BASH_ENV", "ENV"])
def test_start_up_file_of_the_caller_is_not_run(machine: LisaHost, folder: Path, variable: str) -> None:
    rc = machine.folder / "rc.sh"
    rc.write_text(f"cd {machine.folder}\n")
    (folder / "environment").write_text(f"export {variable}='{rc}'\nexport LISA_PROJECT_ROOT='{machine.project}'\n")
    shown = run(machine, folder, f'pwd -P; printenv {variable}; bash -c "pwd -P"').stdout.splitlines()
    own = shown.index(str(machine.project))
    assert shown[own + 1] == str(rc)  # the agent's own shells keep it
    assert shown[own + 2] == str(machine.folder if variable == "BASH_ENV" else machine.project)


def test_folder_change_of_the_environment_is_undone(machine: LisaHost, folder: Path) -> None:
    (folder / "environment").write_text(f"export LISA_PROJECT_ROOT='{machine.project}'\ncd /\n")
    assert str(machine.project) in run(machine, folder, "pwd -P").stdout
