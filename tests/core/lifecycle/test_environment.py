"""The environment of a session: that of the caller without the variables of the caller's session."""

from __future__ import annotations

import os
import subprocess

import pytest

from lisa_py import agents
from lisa_py.core.lifecycle import environment
from tests.fleet import Fleet
from tests.lisa_host import LisaHost

SHELLS = ("sh", "bash")


def seen(machine: LisaHost, *, shell: str = "sh", server: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a shell that started with the server's variables, after the script."""
    ctx = machine.context()
    script = environment.build_script(environment.inherit_environment(ctx), server or {})
    ended = subprocess.run(
        [shell, "-c", script + "env -0"], env={"PATH": os.defpath, **(server or {})}, capture_output=True, check=True
    )
    entries = ended.stdout.decode("utf-8", "surrogateescape").split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


@pytest.mark.parametrize("shell", SHELLS)
def test_values_of_every_kind_arrive_unchanged(machine: LisaHost, shell: str) -> None:
    values = {
        "QUOTES": 'it\'s "x" `y` $HOME $(id) \\ !',
        "ROWS": "a\n\nb\tc\n",
        "EMPTY": "",
        "WIDE": "ü ✳ 日本",
        "RAW": b"\xff\xfe".decode("utf-8", "surrogateescape"),
        "LONG": "x" * 100_000,
        "lower_1": "1",
    }
    machine.env.update(values)
    found = seen(machine, shell=shell)
    assert {name: found.get(name) for name in values} == values


@pytest.mark.parametrize("shell", SHELLS)
def test_unexportable_variable_names_are_skipped(machine: LisaHost, shell: str) -> None:
    odd = {"BASH_FUNC_x%%": "() { :; }", "a-b": "1", "1x": "2", "x.y": "3", "ü": "4"}
    machine.env.update({**odd, "UID": "7", "PPID": "7", "SHELLOPTS": "x", "IFS": "x", "OPTIND": "x", "AFTER": "ok"})
    found = seen(machine, shell=shell)
    assert found["AFTER"] == "ok"
    assert not odd.keys() & found.keys()


def test_variables_of_the_caller_session_are_not_inherited(machine: LisaHost) -> None:
    marks = (
        *("TMUX", "TMUX_PANE", "TERM_PROGRAM", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION_ID"),
        *("AI_AGENT", "CODEX_SANDBOX", "LISA_RUN_ID", "LISA_SESSION_DIR", "LISA_HEARTBEAT_FILE", "LISA_SESSION_NAME"),
        *("LISA_CLAUDE_CODE_OAUTH_TOKEN", "LISA_PROJECT_ROOT", "PWD", "SHLVL"),
    )
    machine.env.update(dict.fromkeys(marks, "callers"))
    machine.env["CLAUDE_CODE_MAX_RETRIES"] = "1"
    found = environment.inherit_environment(machine.context())
    assert not set(marks) & found.keys()
    assert found["CLAUDE_CODE_MAX_RETRIES"] == "1"
    assert found["LISA_STATE_DIR"] == machine.env["LISA_STATE_DIR"]


def test_variables_only_in_the_server_are_unset(machine: LisaHost) -> None:
    server = {
        "LC_ALL": "C",
        "USER": "first",
        "TMUX": "x,1,0",
        "TMUX_PANE": "%1",
        "TERM": "screen",
        "LC_CTYPE": "C.UTF-8",
    }
    machine.env.pop("USER", None)
    found = seen(machine, server=server)
    assert not {"LC_ALL", "USER", "TMUX", "TMUX_PANE"} & found.keys()
    assert (found["TERM"], found["LC_CTYPE"]) == ("screen", "C.UTF-8")


def test_token_under_the_name_of_lisa_is_for_its_agent_only(machine: LisaHost) -> None:
    machine.env["LISA_CLAUDE_CODE_OAUTH_TOKEN"] = "tok"
    ctx = machine.context()
    assert environment.read_agent_token(ctx, agents.get("claude")) == {"CLAUDE_CODE_OAUTH_TOKEN": "tok"}
    assert environment.read_agent_token(ctx, agents.get("codex")) == {}


def test_relative_folders_become_absolute(machine: LisaHost) -> None:
    machine.env["LISA_STATE_DIR"] = "some/where"
    found = environment.inherit_environment(machine.context())
    assert found["LISA_STATE_DIR"] == os.path.abspath("some/where")


def test_variable_exported_after_server_start_is_inherited(machine: LisaHost, fleet: Fleet) -> None:
    """Scenario 30."""
    fleet.spawn("lisa-first")
    machine.env["LATECOMER"] = "here"
    machine.env["PATH"] = f"{machine.folder}/other:{machine.env['PATH']}"
    fleet.spawn("lisa-second", 'echo "$LATECOMER $PATH" >out')
    assert fleet.wait_for_file("out") == f"here {machine.env['PATH']}\n"


def test_session_environment_describes_the_session(machine: LisaHost, fleet: Fleet) -> None:
    machine.env.update(TMUX="/x,1,0", LISA_SESSION_NAME="lisa-parent", LISA_RUN_ID="77", CLAUDECODE="1")
    fleet.spawn("lisa-x", "env >env.tmp; mv env.tmp out")
    lines = dict(line.split("=", 1) for line in fleet.wait_for_file("out").splitlines() if "=" in line)
    ref = fleet.ref("lisa-x")
    assert lines["LISA_SESSION"] == "true"
    assert lines["LISA_SESSION_NAME"] == "lisa-x"
    assert lines["LISA_AGENT"] == "claude"
    assert lines["LISA_MODE"] == "interactive"
    assert lines["LISA_PROJECT_ROOT"] == str(machine.project)
    assert lines["LISA_PROJECT_HASH"] == ref.project.hash
    assert lines["LISA_TMUX_SOCKET"] == ref.project.socket
    assert lines["LISA_HEARTBEAT_FILE"] == ref.heartbeat
    assert lines["LISA_DONE_FILE"] == ref.done
    assert lines["LISA_SESSION_DIR"] == ref.folder
    assert lines["LISA_RUN_ID"] not in ("", "77")
    assert not {"TMUX", "TMUX_PANE", "CLAUDECODE"} & lines.keys()


def test_lisa_in_a_session_has_its_parent(machine: LisaHost, fleet: Fleet) -> None:
    from tests.lisa_host import PROGRAM

    nested = " ".join([*PROGRAM, "session", "spawn", "--session", "lisa-child", "--command", "'sleep 600'"])
    fleet.spawn("lisa-parent", f"{nested} >out 2>&1; sleep 600")
    assert fleet.wait_for_file("out") == "lisa-child\n"
    from lisa_py.store import session_records

    parent, child = (
        session_records.read_meta(fleet.ref("lisa-parent")),
        session_records.read_meta(fleet.ref("lisa-child")),
    )
    assert parent is not None
    assert child is not None
    assert (child.parent_session, child.parent_run_id) == ("lisa-parent", parent.run_id)
