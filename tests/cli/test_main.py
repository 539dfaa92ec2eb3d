"""The way in and out: every ending is one answer with the right code."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lisa_py import commands
from lisa_py.cli import main, render
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.host.cancellation import Cancellation
from tests.answers import check_answer
from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness
from tests.tmux_stub import TmuxStub


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state and crash reports of calls in this process in a temporary folder."""
    monkeypatch.setenv("LISA_STATE_DIR", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ((), 1, "", "lisa demo"),
        (("--help",), 0, "lisa demo", ""),
        (("help",), 0, "lisa demo", ""),
        (("-h",), 0, "lisa demo", ""),
        (("session",), 1, "", "exists"),
        (("session", "--help"), 0, "exists", ""),
        (("session", "help"), 0, "exists", ""),
        (("help", "session"), 0, "exists", ""),
        (("help", "session", "exists"), 0, "--session NAME", ""),
        (("session", "help", "exists"), 0, "--session NAME", ""),
        (("session", "exists", "--session", "x", "-h"), 0, "--session NAME", ""),
        (("sesion", "exists"), 1, "", "unknown command: sesion (did you mean `lisa session`?"),
        (("session", "exsts"), 1, "", "did you mean `lisa session exists`?"),
        (("help", "nonsense"), 1, "", "unknown command: nonsense"),
        (("../version",), 1, "", "unknown command"),
        (("session.exists",), 1, "", "unknown command"),
    ],
)
def test_requested_help_goes_to_stdout_else_stderr(
    words: tuple[str, ...], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == code
    captured = capsys.readouterr()
    assert (bool(captured.out), bool(captured.err)) == (bool(out), bool(err))
    assert out in captured.out and err in captured.err


@pytest.mark.parametrize(
    "words", [("nope", "--json"), ("session", "nope", "--json-min"), ("session", "--json"), ("--json",)]
)
def test_unknown_command_under_json_is_one_object(words: tuple[str, ...], machine: LisaHost) -> None:
    answer = machine.lisa(*words)
    assert (answer.code, answer.err, answer.json["errorCode"]) == (1, "", "unknown_command")


def test_ctrl_c_is_130_and_one_answer(machine: LisaHost) -> None:
    """oauth add waits for standard input: an example of a long-running command."""
    theirs, ours = os.pipe()
    running = subprocess.Popen(
        [*PROGRAM, "oauth", "add", "--stdin", "--json"],
        env=machine.env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(ours, b"x")
    wait_until(lambda: not _unread(theirs))
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    check_answer(["oauth", "add", "--stdin", "--json"], running.returncode, out)
    assert (running.returncode, err) == (130, "") and '"errorCode":"interrupted"' in out
    for end in (theirs, ours):
        os.close(end)


def test_ctrl_c_that_the_shell_ignores_stays_ignored(machine: LisaHost) -> None:
    theirs, ours = os.pipe()
    running = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *PROGRAM, "oauth", "add", "--stdin", "--json"],
        env=machine.env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(ours, b"a-token")
    wait_until(lambda: not _unread(theirs))
    running.send_signal(signal.SIGINT)
    os.close(ours)
    out, _ = running.communicate(timeout=20)
    os.close(theirs)
    assert (running.returncode, "errorCode" in json.loads(out)) == (0, False)


@pytest.mark.parametrize("form", ["--json", "--json-min"])
@pytest.mark.parametrize(
    "words",
    [
        ("exists",),
        ("status", "--fail-not-found"),
        ("explain",),
        ("monitor",),
        ("handoff",),
        ("packet",),
        ("context-pack",),
        ("diff-pack",),
        ("snapshot",),
        ("next",),
        ("kill",),
    ],
)
def test_failed_answer_has_ok_and_error(words: tuple[str, ...], form: str, machine: LisaHost) -> None:
    answer = machine.lisa("session", *words, "--session", "lisa-absent", form)
    got = answer.json
    assert got["ok"] is False and got["errorCode"] and got["error"], got
    assert bool(answer.code) is (words[0] not in ("explain", "snapshot"))


def test_refused_claim_has_ok_and_error(machine: LisaHost) -> None:
    SessionHarness(machine, "lisa-a").run("sleep 600")
    words = ("session", "dedupe", "--task-hash", "t1", "--json", "--session")
    assert machine.lisa(*words, "lisa-a").code == 0
    answer = machine.lisa(*words, "lisa-b")
    assert answer.code != 0 and answer.json["ok"] is False and answer.json["error"]


def test_second_ctrl_c_ends_a_hung_command(machine: LisaHost) -> None:
    """The first one ends the wait in order; here the reading of the session never returns to it."""
    stage = SessionHarness(machine).run("sleep 600")
    server = Path(stage.ctx.server(stage.ref).socket)
    watching = machine.start("session", "monitor", "--session", stage.name, "--stream-json")
    assert watching.read_event()
    server.rename(machine.folder / "server.sock")
    with TmuxStub(str(server), None) as hanging:
        (Path(stage.ref.folder) / "event").touch()
        wait_until(lambda: hanging.received, what="the monitor hangs")

        def interrupt() -> bool:
            watching.send_signal(signal.SIGINT)
            return watching.poll() is not None

        wait_until(interrupt, timeout=10)
    (machine.folder / "server.sock").rename(server)  # the end of the test uses tmux
    out, _ = watching.communicate(timeout=10)
    assert (watching.returncode, json.loads(out.splitlines()[-1])["errorCode"]) == (130, "interrupted")


def test_ctrl_c_during_the_last_answer_is_ignored(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted_print(problem: LisaError, form: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        print_failure(problem, form)

    print_failure = render.print_failure
    monkeypatch.setattr(render, "print_failure", interrupted_print)
    assert main.main(["session", "list", "--no-such-flag"]) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_adds_no_answer_to_that_of_a_cancelled_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make_cancelled() -> Cancellation:
        made = Cancellation()
        made.cancel()
        return made

    def interrupted_print(*values: Any) -> int:
        code = print_answer(*values)
        os.kill(os.getpid(), signal.SIGINT)
        return code

    print_answer = render.print_answer
    monkeypatch.setattr(main, "Cancellation", make_cancelled)
    monkeypatch.setattr(render, "print_answer", interrupted_print)
    assert main.main(["version", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_the_answer_to_another_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes while the interrupted command is left, and once more before its answer."""

    def interrupt_twice(args: Any, ctx: Context) -> None:
        monkeypatch.setattr(main.signal, "getsignal", interrupted_look)
        with ctx.cancellation.observe():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    def interrupted_look(number: int) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return look(number)

    look = main.signal.getsignal
    hung = msgspec.structs.replace(commands.load(("version",)), run=interrupt_twice)
    monkeypatch.setattr(commands, "load", lambda path: hung)
    assert main.main(["version", "--json"]) == 130
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["errorCode"] == "interrupted"
    assert look(signal.SIGINT) is signal.default_int_handler


def test_signal_handler_is_that_of_the_caller_again(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    before = signal.getsignal(signal.SIGINT)
    assert main.main(["session", "list"]) == 0
    assert signal.getsignal(signal.SIGINT) is before is signal.default_int_handler


def _unread(pipe: int) -> int:
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"1234"))[0]


def test_closed_output_pipe_is_silent(machine: LisaHost) -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [*PROGRAM, "capabilities", "--json"], env=machine.env, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_full_disk_is_reported_in_one_line(form: tuple[str, ...], machine: LisaHost) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*PROGRAM, "capabilities", *form], env=machine.env, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.decode().count("\n") == 1 and b"No space left" in ended.stderr


def run_closed(machine: LisaHost, closed: str, *words: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a call with closed standard streams."""
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *words],
        cwd=machine.project, env=machine.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&-"])
def test_closed_output_loses_no_answer_silently(closed: str, machine: LisaHost) -> None:
    code, _, error = run_closed(machine, closed, "session", "list", "--json")
    assert (code, error) == (1, "lisa: the answer could not be written: standard output is closed\n")


def test_closed_output_ends_live_lines(machine: LisaHost) -> None:
    code, _, error = run_closed(machine, ">&-", "demo")
    assert (code, error) == (1, "lisa: the answer could not be written: standard output is closed\n")


def test_closed_streams_are_accepted_where_nothing_is_printed(machine: LisaHost) -> None:
    assert run_closed(machine, "<&- >&-", "ai", "session", "list", "--quiet") == (0, "", "")
    assert run_closed(machine, "<&- >&-", "ai", "session", "list")[0] == 1
    code, out, _ = run_closed(machine, "<&- 2>&-", "session", "exists", "--session", "lisa-x", "--json")
    assert (code, "exists" in out) == (1, True)
    assert run_closed(machine, "<&- >&- 2>&-", "version")[0] == 1


def test_invalid_utf8_and_ascii_terminals_are_handled(machine: LisaHost) -> None:
    strange = os.fsdecode(b"a\xff \xe2\x9d\xaf")
    answer = machine.lisa("session", "name", "--tag", strange, "--json")
    assert answer.json["tag"] == "a\N{REPLACEMENT CHARACTER} ❯"
    text = machine.lisa("agent", "build-cmd", "--prompt", "❯", env={"PYTHONIOENCODING": "latin-1"})
    assert (text.code, text.out) == (0, "claude --dangerously-skip-permissions '?'\n")


def test_removed_current_folder_needs_a_project_root(machine: LisaHost) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = ["/bin/sh", "-c", script, "sh", *PROGRAM, *words]
        return subprocess.run(argv, cwd=machine.project, env=machine.env, capture_output=True, text=True, check=False)

    assert run("version").returncode == 0
    lost = run("session", "exists", "--session", "lisa-x", "--json")
    assert '"errorCode":"invalid_project_root"' in lost.stdout
    assert (
        '"exists":false' in run("session", "exists", "--session", "lisa-x", "--project-root", "/tmp", "--json").stdout
    )


def test_unexpected_error_is_logged_without_user_text(
    machine: LisaHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lisa_py.commands.session import exists

    def explode(*_: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr(exists, "COMMAND", _with_run(exists.COMMAND, explode))
    for name in ("HOME", "LISA_STATE_DIR"):
        monkeypatch.setenv(name, machine.env[name])
    assert main.main(["session", "exists", "--session", "lisa-secret", "--json"]) == 1
    out = capsys.readouterr().out
    check_answer(["session", "exists", "--session", "lisa-secret", "--json"], 1, out)
    assert '"errorCode":"internal_error"' in out and out.count("\n") == 1
    (log,) = (Path(machine.env["LISA_STATE_DIR"]) / "logs").iterdir()
    report = log.read_text()
    assert "ValueError: boom" in report and "session exists --session . --json" in report
    assert "lisa-secret" not in report and stat.S_IMODE(log.stat().st_mode) == 0o600


def _with_run(command: object, run: object) -> object:
    import msgspec

    return msgspec.structs.replace(command, run=run)


def test_unloggable_error_still_has_an_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lisa_py import crash_report

    monkeypatch.setenv("LISA_STATE_DIR", "/dev/null/x")
    problem = crash_report.write_crash_report(ValueError("boom"), ["session", "exists"])
    assert "nowhere" in problem.message and problem.code == "internal_error"
    render.print_failure(problem, "text")
    assert "boom" in capsys.readouterr().err


def test_a_crash_report_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lisa_py import crash_report

    monkeypatch.setenv("LISA_STATE_DIR", str(tmp_path))
    problem = crash_report.write_crash_report(
        ValueError("API_KEY=sk-abcdefghij0123456789"), ["session", "send", "--text=hunter2"]
    )
    report = next((tmp_path / "logs").iterdir()).read_text()
    for text in (report, problem.message):
        assert "sk-abc" not in text
        assert "hunter2" not in text


def test_an_error_in_text_is_its_message_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_failure(LisaError("some_code", "do this next"), "text")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "do this next\n")


def test_current_folder_cannot_shadow_modules(machine: LisaHost) -> None:
    for name in ("msgspec", "click", "lisa_py"):
        (machine.project / f"{name}.py").write_text("raise SystemExit(9)\n")
    assert machine.lisa("version", cold=True).code == 0


def test_module_and_console_script_are_the_same_program(machine: LisaHost) -> None:
    script = Path(sys.executable).parent / "lisa"
    if not script.exists():
        pytest.skip("lisa is not installed in this environment")
    ended = subprocess.run([str(script), "version"], env=machine.env, capture_output=True, text=True, check=True)
    assert ended.stdout == machine.lisa("version", cold=True).out
