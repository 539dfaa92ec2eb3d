"""completion."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.lisa_host import LisaHost


def candidates(machine: LisaHost, *words: str) -> list[str]:
    """Return the completions of bash for the last word."""
    machine.add_program("lisa", f'#!/bin/sh\nexec "{sys.executable}" -P -m lisa_py "$@"\n')
    quoted = " ".join(f"'{word}'" for word in ("lisa", *words))
    script = (
        'eval "$(lisa completion bash)"\n'
        f"COMP_WORDS=({quoted}) COMP_CWORD={len(words)}\n"
        '_lisa_completion lisa\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    ended = subprocess.run(
        ["bash", "-c", script], cwd=machine.project, env=machine.env, capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    return ended.stdout.split()


def test_bash_completes_groups_commands_flags_and_choices(machine: LisaHost) -> None:
    assert candidates(machine, "sess") == ["session"]
    assert "detect-nested" in candidates(machine, "session", "det")
    assert candidates(machine, "session", "name", "--m") == ["--mode"]
    assert candidates(machine, "session", "name", "--mode", "") == ["interactive", "exec"]
    assert {"claude", "codex"} <= set(candidates(machine, "session", "name", "--agent", ""))
    assert candidates(machine, "completion", "") == ["bash", "zsh", "fish"]


def test_bash_completes_the_sessions_of_this_project(machine: LisaHost) -> None:
    ref = machine.context().ref("lisa-nightly")
    folder = machine.folder / ref.folder
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text('{"session":"lisa-nightly"}')
    assert candidates(machine, "session", "exists", "--session", "lisa-n") == ["lisa-nightly"]


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_script_is_valid_in_its_shell(shell: str, check: str, machine: LisaHost) -> None:
    script = machine.lisa("completion", shell).out
    assert script == machine.lisa("completion", "--shell", shell).out
    assert "_LISA_COMPLETE" in script
    if shutil.which(shell):
        assert subprocess.run([shell, check], input=script, text=True, check=False).returncode == 0


def test_an_unknown_shell_is_refused(machine: LisaHost) -> None:
    answer = machine.lisa("completion", "tcsh", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_shell")
