"""session guard; the user's tmux server is one of the test's own, found by TMUX_TMPDIR."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.lisa_host import CallResult, LisaHost


def _guard(machine: LisaHost, *words: str, env: dict[str, str] | None = None) -> CallResult:
    return machine.lisa("session", "guard", "--shared-tmux", *words, "--json", env=env)


def _users_tmux(machine: LisaHost, *names: str) -> None:
    """Sessions on the server a plain `tmux` talks to on this machine."""
    for name in names:
        subprocess.run(["tmux", "-f", "/dev/null", "new-session", "-d", "-s", name], env=machine.env, check=True)


def _policy(machine: LisaHost, content: Any) -> str:
    path = machine.project / "policy.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return "policy.json"


def test_no_command_and_no_sessions_is_safe(machine: LisaHost) -> None:
    answer = _guard(machine)
    assert answer.code == 0
    assert answer.json == {
        "adviceOnly": False,
        "command": "",
        "commandRisk": "low",
        "defaultSessionCount": 0,
        "defaultSessions": [],
        "enforce": False,
        "machinePolicy": "strict",
        "projectRoot": str(machine.project),
        "safe": True,
        "sharedTmux": True,
        "stderrPolicy": "diagnostic",
        "tmuxProbe": "no_server",
        "warnings": [],
    }


def test_user_server_sessions_are_reported_and_unchanged(machine: LisaHost) -> None:
    _users_tmux(machine, "work", "mail")
    answer = _guard(machine, env={"TMUX": "/nowhere/sock,1,0"})
    assert (answer.code, answer.json["errorCode"]) == (1, "shared_tmux_risk_detected")
    assert (answer.json["defaultSessions"], answer.json["tmuxProbe"]) == (["mail", "work"], "ok")
    assert len(answer.json["warnings"]) == 3
    alive = subprocess.run(["tmux", "list-sessions"], env=machine.env, capture_output=True, check=True)
    assert len(alive.stdout.splitlines()) == 2


def test_lisa_sessions_do_not_count_as_user_sessions(machine: LisaHost) -> None:
    ctx = machine.context()
    ctx.tmux(ctx.project()).new_session("lisa-a", ["/bin/sleep", "60"], root=str(machine.project), width=80, height=24)
    assert _guard(machine).json["defaultSessionCount"] == 0


def test_unknown_sessions_differ_from_none(machine: LisaHost) -> None:
    no_tmux = {"PATH": str(machine.bin)}
    answer = _guard(machine, env=no_tmux)
    assert (answer.code, answer.json["safe"], answer.json["tmuxProbe"]) == (1, False, "error")
    assert _guard(machine, "--machine-policy", "warn", env=no_tmux).json["safe"] is True
    _users_tmux(machine, "work")
    hanging = machine.add_program("tmux", "#!/bin/sh\nexec sleep 30\n")
    slow = _guard(machine, env={"LISA_CMD_TIMEOUT_SECONDS": "1"})
    hanging.unlink()  # the machine's own clean-up needs the real one
    assert (slow.code, slow.json["tmuxProbe"]) == (1, "error")


def test_ended_server_counts_as_none(machine: LisaHost) -> None:
    _users_tmux(machine, "work")
    socket = next(machine.sockets.rglob("default"))
    kept = socket.with_name("kept")
    socket.rename(kept)
    subprocess.run(["tmux", "-S", str(kept), "kill-server"], env=machine.env, check=True)
    socket.symlink_to(kept)
    assert _guard(machine).json["tmuxProbe"] == "no_server"


@pytest.mark.parametrize(
    ("words", "code", "safe", "error"),
    [
        ((), 1, False, "shared_tmux_risk_detected"),
        (("--enforce",), 1, False, "shared_tmux_guard_enforced"),
        (("--advice-only",), 0, False, None),
        (("--machine-policy", "warn"), 0, True, None),
        (("--machine-policy", "off"), 0, True, None),
        (("--machine-policy", "warn", "--enforce"), 0, False, None),
    ],
)
def test_the_exit_code_follows_the_machine_policy(
    machine: LisaHost, words: tuple[str, ...], code: int, safe: bool, error: str | None
) -> None:
    answer = _guard(machine, "--command", "lisa cleanup", *words)
    assert (answer.code, answer.json["safe"], answer.json.get("errorCode")) == (code, safe, error)


def test_text_has_verdict_warnings_and_remedies(machine: LisaHost) -> None:
    answer = machine.lisa("session", "guard", "--shared-tmux", "--command", "lisa cleanup")
    lines = answer.out.splitlines()
    assert answer.code == 1
    assert lines[0] == (
        "safe=false enforce=false advice_only=false machine_policy=strict default_sessions=0 command_risk=medium"
    )
    assert lines[1].startswith("- cleanup without --dry-run")
    assert [line for line in lines if line.startswith("- remediation: ")]


def test_policy_file_keys_ignore_case(machine: LisaHost) -> None:
    path = _policy(
        machine, {"MACHINEPOLICY": "Warn", "deniedCommands": ["git push"], "allowedCommands": None, "typo": 1}
    )
    answer = _guard(machine, "--policy-file", path, "--command", "git push")
    assert (answer.code, answer.json["machinePolicy"], answer.json["safe"]) == (0, "warn", False)
    assert answer.json["riskReasons"] == ["policy_denied_command"]
    assert answer.json["policyFile"] == str(machine.project / path)
    assert any("typo" in line for line in answer.json["warnings"])


def test_a_policy_file_does_not_relax_an_explicit_flag(machine: LisaHost) -> None:
    path = _policy(machine, {"machinePolicy": "off"})
    words = ("--policy-file", path, "--command", "lisa session kill-all")
    assert _guard(machine, *words).code == 0
    strict = _guard(machine, *words, "--machine-policy", "strict")
    assert (strict.code, strict.json["machinePolicy"]) == (1, "strict")
    assert _guard(machine, *words, "--machine-policy", "strict", "--allow-policy-relax").code == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', '{"deniedCommands":"x"}', '{"requireProjectRoot":"yes"}'])
def test_invalid_policy_file_is_refused(machine: LisaHost, content: str) -> None:
    answer = _guard(machine, "--policy-file", _policy(machine, content))
    assert (answer.code, answer.json["errorCode"]) == (1, "policy_file_read_failed")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--shared-tmux", "--machine-policy", "lax"), "invalid_machine_policy"),
        (("--shared-tmux", "--machine-policy", ""), "invalid_machine_policy"),
        (("--shared-tmux", "--policy-file", "nowhere.json"), "policy_file_read_failed"),
        (("--command", "x"), "missing_required_flag"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "guard", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_machine_policy_of_a_policy_file_is_checked(machine: LisaHost) -> None:
    answer = _guard(machine, "--policy-file", _policy(machine, {"machinePolicy": "lax"}))
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_policy_machine_policy")
