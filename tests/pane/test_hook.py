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

import psutil
import pytest

import lisa_py
from lisa_py.contract.dialogs import DecisionRecord
from lisa_py.store import dialogs
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost
from tests.polling import wait_until

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


def test_payload_may_be_an_argument(machine: LisaHost, folder: Path) -> None:
    call(machine, folder, "notify", '{"type":"agent-turn-complete"}')
    assert lines(folder)[0]["payload"] == {"type": "agent-turn-complete"}


def test_concurrent_hooks_write_whole_lines(machine: LisaHost, folder: Path) -> None:
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


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_large_request_keeps_tool_and_id_of_the_call(machine: LisaHost, folder: Path, shell: list[str]) -> None:
    payload = {"session_id": "a-b", "tool_name": "Bash", "tool_input": {"x": "z" * 70_000}, "tool_use_id": "toolu_1"}
    call(machine, folder, "PreToolUse", stdin=json.dumps(payload) + "\n", shell=shell)
    kept = lines(folder)[0]["payload"]
    assert kept == {
        "session_id": "a-b", "transcript_path": "", "tool_name": "Bash", "tool_use_id": "toolu_1", "cut": True,
    }  # fmt: skip


class WaitingHook:
    """A hook of a dialog that waits for the decision."""

    def __init__(self, machine: LisaHost, ref: SessionRef, payload: dict[str, Any], shell: list[str]) -> None:
        self.machine = machine
        self.ref = ref
        before = {each.key for each in dialogs.list_waiting(ref)}
        self.process = subprocess.Popen(
            [*shell, HOOK, "--wait", ref.folder, "PermissionRequest"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=machine.env,
        )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(payload).encode())
        self.process.stdin.close()

        def find_new() -> list[dialogs.HookedDialog]:
            return [each for each in dialogs.list_waiting(ref) if each.key not in before]

        self.dialog = wait_until(find_new)[0]
        self.key = self.dialog.key

    def read_output(self) -> bytes:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            text = output.read()
        assert self.process.wait(20) == 0
        return text


ASK = {"session_id": "a", "tool_name": "Bash", "tool_input": {"command": 'echo "a\\n"'}}


@pytest.fixture
def ref(machine: LisaHost) -> SessionRef:
    found = machine.context().ref("lisa-hooked", str(machine.project))
    os.makedirs(found.folder, 0o700)
    return found


def decision(by: str = "cli") -> DecisionRecord:
    return DecisionRecord(kind="approve", by=by, way="hook", at="2026-11-28T10:00:00Z", summary="approved")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_waiting_hook_prints_the_decision(machine: LisaHost, ref: SessionRef, shell: list[str]) -> None:
    hook = WaitingHook(machine, ref, ASK, shell)
    assert hook.dialog.payload == ASK
    wait_until(lambda: os.path.exists(ref.file("hooks.jsonl")), what="the hook records its event once it waits")
    assert lines(Path(ref.folder))[0]["dialog"] == hook.key
    output = json.dumps({"text": 'a "b" \\n %s' + "x" * 200_000})
    assert dialogs.decide(ref, hook.key, decision(), output)
    assert dialogs.release_decided(ref, hook.key)
    assert hook.read_output().decode() == output + "\n"
    assert not dialogs.list_waiting(ref)
    assert sorted(os.listdir(ref.file("dialogs"))) == [hook.key + ".decision", hook.key + ".json"]
    for name in os.listdir(ref.file("dialogs")):
        assert stat.S_IMODE(os.stat(ref.file(f"dialogs/{name}")).st_mode) == 0o600


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_result_of_the_call_ends_its_hook_alone(machine: LisaHost, ref: SessionRef, shell: list[str]) -> None:
    other = {**ASK, "tool_input": {"command": "echo"}, "permission_suggestions": []}
    hooks = [WaitingHook(machine, ref, payload, shell) for payload in (ASK, other)]
    ended = {**ASK, "tool_response": {"stdout": ""}, "tool_use_id": "t"}
    call(machine, Path(ref.folder), "PostToolUse", stdin=json.dumps(ended), shell=shell)
    assert hooks[0].read_output() == b""
    assert [each.key for each in dialogs.list_waiting(ref)] == [hooks[1].key]
    call(machine, Path(ref.folder), "UserPromptSubmit", stdin="{}", shell=shell)
    assert hooks[1].read_output() == b""


def test_waiting_hook_uses_no_cpu_and_its_kill_is_detected(machine: LisaHost, ref: SessionRef) -> None:
    hook = WaitingHook(machine, ref, ASK, ["sh"])
    process = psutil.Process(hook.process.pid)
    wait_until(lambda: process.status() == psutil.STATUS_SLEEPING)
    before = process.cpu_times()
    assert not process.children()
    hook.process.kill()
    hook.process.wait(20)
    assert hook.process.stdout is not None
    hook.process.stdout.close()
    assert before.user + before.system < 0.2
    assert not dialogs.is_waiting(ref, hook.key)
    assert not dialogs.release_decided(ref, hook.key)
    assert [each.key for each in dialogs.list_dialogs(ref)] == [hook.key]
