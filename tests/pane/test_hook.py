"""pane/hook.sh: one private line per event."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import lisa_py
from tests.lisa_host import LisaHost

HOOK = os.path.join(os.path.dirname(lisa_py.__file__), "pane", "hook.sh")
SHELLS = [[shell, *flags] for shell, *flags in (["dash"], ["bash", "--posix"]) if shutil.which(shell)] or [["sh"]]


@pytest.fixture
def folder(machine: LisaHost) -> Path:
    path = machine.folder / "a session's folder"
    path.mkdir(mode=0o700)
    return path


def call(
    machine: LisaHost, folder: Path, event: str, *more: str, stdin: str = "", shell: list[str] | None = None
) -> None:
    ended = subprocess.run(
        [*(shell or ["sh"]), HOOK, str(folder), event, *more], input=stdin.encode(), env=machine.env,
        capture_output=True, check=False, timeout=20,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "hooks.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_signal_is_one_line_with_event_time_and_payload(machine: LisaHost, folder: Path, shell: list[str]) -> None:
    before = time.time()
    payload = {"session_id": "a-b", "prompt": 'it\'s "q" \\ $HOME `x` ü\n\t%s'}
    call(machine, folder, "UserPromptSubmit", stdin=json.dumps(payload, indent=1), shell=shell)
    call(machine, folder, "Stop", stdin=json.dumps({"session_id": "a-b"}), shell=shell)
    first, second = lines(folder)
    assert (first["hook"], first["payload"], second["hook"]) == ("UserPromptSubmit", payload, "Stop")
    assert before - 1 < first["at"] <= time.time()
    assert stat.S_IMODE((folder / "hooks.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_large_payload_is_reduced_to_its_ids(machine: LisaHost, folder: Path, shell: list[str]) -> None:
    payload = {"session_id": "a-b", "transcript_path": "/t/ü x.jsonl", "text": "z" * 2_000_000}
    call(machine, folder, "PostToolUse", stdin=json.dumps(payload, ensure_ascii=False), shell=shell)
    call(machine, folder, "PostToolUse", stdin=json.dumps({"text": "z" * 40_000, "session_id": "late"}), shell=shell)
    first, second = lines(folder)
    assert first["payload"] == {"session_id": "a-b", "transcript_path": "/t/ü x.jsonl", "cut": True}
    assert second["payload"] == {"session_id": "", "transcript_path": "", "cut": True}


def test_other_payload_becomes_an_empty_object(machine: LisaHost, folder: Path) -> None:
    for text in ("", "plain words", "[1]", "{broken"):
        call(machine, folder, "Stop", stdin=text)
    assert [line["payload"] for line in lines(folder)] == [{}, {}, {}, {}]


def test_the_payload_may_come_as_an_argument(machine: LisaHost, folder: Path) -> None:
    call(machine, folder, "notify", '{"type":"agent-turn-complete"}')
    assert lines(folder)[0]["payload"] == {"type": "agent-turn-complete"}


def test_hooks_at_the_same_time_do_not_mix_their_lines(machine: LisaHost, folder: Path) -> None:
    payloads = [json.dumps({"n": n, "text": "x" * (n % 3) * 9000}).encode() for n in range(24)]
    running = []
    for payload in payloads:
        process = subprocess.Popen(["sh", HOOK, str(folder), "E"], stdin=subprocess.PIPE, env=machine.env)
        assert process.stdin is not None
        process.stdin.write(payload)
        process.stdin.close()
        running.append(process)
    for process in running:
        assert process.wait(20) == 0
    assert sorted(line["payload"]["n"] for line in lines(folder)) == list(range(24))
    assert os.listdir(folder) == ["hooks.jsonl"]


def test_symlink_is_not_followed_nor_folder_created(machine: LisaHost, folder: Path) -> None:
    victim = machine.project / "victim"
    victim.write_text("precious")
    (folder / "hooks.jsonl").symlink_to(victim)
    call(machine, folder, "Stop", stdin="{}")
    assert victim.read_text() == "precious"
    call(machine, folder / "gone", "Stop", stdin="{}")
    assert not (folder / "gone").exists()


def test_nothing_of_the_environment_is_written(machine: LisaHost, folder: Path) -> None:
    machine.env["SOME_TOKEN"] = "hush-hush"
    call(machine, folder, "Stop", stdin='{"session_id":"a"}')
    assert "hush-hush" not in (folder / "hooks.jsonl").read_text()


def test_pid_is_the_nearest_parent_that_is_not_a_shell(machine: LisaHost, folder: Path) -> None:
    call(machine, folder, "Stop", stdin="{}")
    line = 'sh -c \'sh "$0" "$1" SessionEnd "{}"; true\' "$0" "$1"; true'
    subprocess.run(["bash", "-c", line, HOOK, str(folder)], env=machine.env, check=True, timeout=20)
    assert [record["pid"] for record in lines(folder)] == [os.getpid(), os.getpid()]
