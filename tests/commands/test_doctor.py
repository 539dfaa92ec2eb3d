"""doctor."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.lifecycle import doctor
from lisa_py.host import processes
from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until


def only(machine: LisaHost, *programs: str) -> None:
    """A PATH with the named programs of the real one and those of the test."""
    for name in programs:
        (machine.bin / name).symlink_to(shutil.which(name) or "/nowhere")
    machine.env["PATH"] = str(machine.bin)


def found(answer: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next(entry for entry in answer[kind] if entry["name"] == name)


def test_tmux_and_one_agent_are_enough(machine: LisaHost) -> None:
    only(machine, "tmux")
    machine.add_program("claude", "#!/bin/sh\n[ $1 = --version ] && echo '2.1.329 (Claude Code)'\n")
    answer = machine.lisa("doctor", "--json")
    assert (answer.code, answer.json["ok"]) == (0, True)
    assert [check["name"] for check in answer.json["checks"]] == ["tmux", "claude", "codex"]
    assert found(answer.json, "checks", "claude")["version"] == "2.1.329"
    assert found(answer.json, "checks", "codex") == {
        "available": False,
        "error": "codex is not on PATH",
        "name": "codex",
    }


def test_without_an_agent_or_without_tmux_it_is_not_ready(machine: LisaHost) -> None:
    only(machine, "tmux")
    answer = machine.lisa("doctor", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "doctor_missing_prerequisites")
    only(machine)
    (machine.bin / "tmux").unlink()
    machine.add_program("codex", "#!/bin/sh\necho codex-cli 0.169.0\n")
    assert machine.lisa("doctor").code == 1


def test_text_has_a_line_per_program_and_the_verdict_last(machine: LisaHost) -> None:
    only(machine, "tmux")
    lines = machine.lisa("doctor").out.splitlines()
    assert re.fullmatch(rf"ok      tmux    [\d.a-z]+ {machine.bin / 'tmux'}", lines[0])
    assert lines[1] == "missing claude  claude is not on PATH; npm install -g @anthropic-ai/claude-code"
    assert lines[-1] == "doctor: missing prerequisites"


def test_check_starts_a_session_and_leaves_nothing(machine: LisaHost) -> None:
    answer = machine.lisa("doctor", "--json").json
    assert found(answer, "machine", "session")["ok"] is True
    assert list(machine.sockets.iterdir()) == []


def test_unusable_socket_folder_is_a_finding(machine: LisaHost) -> None:
    only(machine, "tmux")
    machine.add_program("codex", "#!/bin/sh\necho codex-cli 0.169.0\n")
    answer = machine.lisa("doctor", "--json", env={"LISA_TMUX_SOCKET_DIR": "/proc/nowhere"})
    session = found(answer.json, "machine", "session")
    assert session["ok"] is False and "LISA_TMUX_SOCKET_DIR" in session["detail"]
    assert (answer.code, answer.json["ok"]) == (0, True)


def test_reports_the_replacement_of_a_long_socket_path(machine: LisaHost) -> None:
    answer = machine.lisa("doctor", "--json", env={"LISA_TMUX_SOCKET_DIR": f"{machine.folder}/{'x' * 120}"})
    path = found(answer.json, "machine", "socket_path")
    assert path["ok"] is True and "too long" in path["detail"]
    assert found(answer.json, "machine", "session")["ok"] is True


def test_hazards_of_the_installed_tmux_are_named(machine: LisaHost) -> None:
    only(machine)
    machine.add_program("tmux", "#!/bin/sh\n[ $1 = -V ] && echo 'tmux 3.3a'\n")
    assert "dead pane" in found(machine.lisa("doctor", "--json").json, "machine", "tmux_version")["detail"]
    machine.add_program("tmux", "#!/bin/sh\n[ $1 = -V ] && echo 'tmux 2.9'\n")
    version = found(machine.lisa("doctor", "--json").json, "machine", "tmux_version")
    assert version["ok"] is False and "too old" in version["detail"]


def test_login_shell_finding_does_not_change_the_verdict(machine: LisaHost) -> None:
    machine.add_program("claude", "#!/bin/sh\n[ $1 = --version ] && echo '2.1.329 (Claude Code)'\n")
    lisa = machine.add_program("lisa", "#!/bin/sh\n")
    (machine.home / ".bash_profile").write_text("echo welcome; PATH=/usr/bin:/bin\n")
    answer = machine.lisa("doctor", "--json")
    hint = found(answer.json, "machine", "login_shell")
    assert hint["ok"] is False and "does not find lisa" in hint["detail"]
    assert (answer.code, answer.json["ok"]) == (0, True)
    assert "warning login_shell: " in machine.lisa("doctor").out
    (machine.home / ".bash_profile").write_text(f"echo welcome; PATH={machine.bin}:/usr/bin:/bin\n")
    assert found(machine.lisa("doctor", "--json").json, "machine", "login_shell") == {
        "name": "login_shell",
        "ok": True,
        "detail": str(lisa),
    }


def test_hanging_login_shell_is_abandoned(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOGIN_SECONDS", 0.5)
    (machine.home / ".bash_profile").write_text("echo $$ >$HOME/pid; exec sleep 600\n")
    hint = doctor.check_login_shell(machine.context())
    assert hint.ok is False and "did not come up" in hint.detail
    shell = int((machine.home / "pid").read_text())
    wait_until(lambda: not processes.is_running(shell, 0), what="the shell has ended")


def test_full_disk_is_a_finding(machine: LisaHost) -> None:
    state = machine.folder / "state"
    state.mkdir(mode=0o700)
    ended = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *PROGRAM, "doctor", "--json"],
        env=machine.env, cwd=machine.project, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    folder = found(json.loads(ended.stdout), "machine", "state_dir")
    assert folder["ok"] is False and "LISA_STATE_DIR" in folder["detail"]
    assert list(state.iterdir()) == []
    assert found(machine.lisa("doctor", "--json").json, "machine", "state_dir")["ok"] is True


def test_reports_an_unwritable_state_folder(machine: LisaHost) -> None:
    answer = machine.lisa("doctor", "--json", env={"LISA_STATE_DIR": "/dev/null/x"})
    assert found(answer.json, "machine", "state_dir")["ok"] is False
    assert not Path("/dev/null/x").exists()
