"""Start of claude: the command line for users, and the one that is run."""

from __future__ import annotations

import json
import os
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents._claude import launch as claude_launch
from lisa_py.agents._claude.settings import EVENTS, known_events
from lisa_py.agents.launch import NO_ANSWER, AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.errors import LisaError

AGENT = agents.get("claude")
SKIP = "--dangerously-skip-permissions"
FLAGS = frozenset(("--session-id", "--settings", "--permission-mode", "--resume", SKIP))
NEW = Facts(binary="/opt/bin/claude", version="2.1.329", flags=FLAGS)
BARE = Facts(binary="/opt/bin/claude")
ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "proj").mkdir()
    return tmp_path


def plan(folder: Path, mode: str = "interactive", facts: Facts = NEW, **more: Any) -> LaunchPlan:
    more.setdefault("skip_permissions", False)
    environ = {"HOME": str(folder / "home"), "IS_SANDBOX": "1", **more.pop("environ", {})}
    launch = AgentLaunch(
        mode=mode, folder=str(folder), project_root=str(folder / "proj"), run_id="17", hook="/lib/hook.sh",
        environ={name: value for name, value in environ.items() if value}, **more,
    )  # fmt: skip
    return AGENT.plan_launch(launch, facts)


def words(made: LaunchPlan) -> list[str]:
    return shlex.split(made.script)


def after(made: LaunchPlan, flag: str) -> str:
    line = words(made)
    return line[line.index(flag) + 1] if flag in line else ""


def settings(made: LaunchPlan) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.files.get("settings.json", "{}"))
    return found


@pytest.mark.parametrize(
    ("launch", "line"),
    [
        (AgentLaunch(mode="interactive"), f"claude {SKIP}"),
        (AgentLaunch(mode="interactive", prompt="hi"), f"claude {SKIP} 'hi'"),
        (AgentLaunch(mode="interactive", prompt="it's\nme"), f"claude {SKIP} $'it\\'s\\nme'"),
        (AgentLaunch(mode="interactive", skip_permissions=False), "claude"),
        (AgentLaunch(mode="interactive", agent_args="--model opus", prompt="P"), f"claude {SKIP} --model opus 'P'"),
        (AgentLaunch(mode="exec", prompt="P"), f"claude -p 'P' {SKIP}"),
        (AgentLaunch(mode="exec", prompt="P", agent_args="--x"), f"claude -p 'P' {SKIP} --x"),
        (AgentLaunch(mode="exec", prompt="P", agent_args=f"--x {SKIP}"), f"claude -p 'P' --x {SKIP}"),
        (
            AgentLaunch(mode="exec", prompt="P", agent_args=f"--allow-{SKIP[2:]}"),
            f"claude -p 'P' {SKIP} --allow-{SKIP[2:]}",
        ),
        (AgentLaunch(mode="exec", prompt="P", skip_permissions=False), "claude -p 'P'"),
    ],
)
def test_shown_command_line_equals_the_contract(launch: AgentLaunch, line: str) -> None:
    assert AGENT.build_command(launch) == line


def test_exec_without_a_prompt_is_refused() -> None:
    with pytest.raises(LisaError) as refused:
        AGENT.build_command(AgentLaunch(mode="exec"))
    assert refused.value.code == "agent_command_build_failed"


# -- the prompt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["interactive", "exec"])
@pytest.mark.parametrize("prompt", ["-p what", "--help", 'it\'s\n"q" $HOME `x` \\', "ünï 🙂", "#x", "!x"])
def test_prompt_is_the_last_argument_of_claude(folder: Path, mode: str, prompt: str) -> None:
    line = words(plan(folder, mode, prompt=prompt, agent_args="--allowedTools Bash Edit"))
    assert line[-2:] == ["--", prompt]
    assert ("-p" in line[:-1]) is (mode == "exec")


def test_separator_of_the_user_is_not_repeated(folder: Path) -> None:
    assert words(plan(folder, prompt="x", agent_args="--verbose --")).count("--") == 1


def test_no_prompt_gives_no_arguments(folder: Path) -> None:
    assert "--" not in words(plan(folder))


def test_long_prompt_uses_standard_input_or_a_later_send(folder: Path) -> None:
    long = "ü" * 60_000
    exec_plan, dialogue = plan(folder, "exec", prompt=long), plan(folder, prompt=long)
    assert (exec_plan.stdin, exec_plan.send_prompt) == (long, False)
    assert (dialogue.stdin, dialogue.send_prompt) == (None, True)
    assert long not in exec_plan.script + dialogue.script
    assert plan(folder, prompt="ü" * 40_000).send_prompt is False


# -- identity ---------------------------------------------------------------------------------------------------------


def test_conversation_id_depends_on_the_run(folder: Path) -> None:
    first, again = plan(folder), plan(folder)
    other = AGENT.plan_launch(AgentLaunch(mode="interactive", run_id="18", folder=str(folder)), NEW)
    assert first.agent_session_id == again.agent_session_id == after(first, "--session-id")
    assert len(first.agent_session_id) == 36
    assert other.agent_session_id != first.agent_session_id


@pytest.mark.parametrize(
    ("args", "session", "given"),
    [
        (f"--session-id {ID}", ID, False),
        (f"--session-id={ID}", ID, False),
        (f"--resume {ID}", ID, False),
        (f"-r {ID} --verbose", ID, False),
        ("--resume my-title", "", False),
        ("--resume", "", False),
        ("--continue", "", False),
        ("-c", "", False),
        (f"--resume {ID} --fork-session", "own", True),
        ("--verbose 'unbalanced", "own", True),
    ],
)
def test_conversation_flags_of_the_user_are_kept(folder: Path, args: str, session: str, given: bool) -> None:
    made = plan(folder, agent_args=args)
    assert made.script.count("--session-id") == int(given or "--session-id" in args)
    assert bool(made.agent_session_id) is bool(session)
    if session not in ("", "own"):
        assert made.agent_session_id == session


def test_unknown_version_gets_the_plain_command_line(folder: Path) -> None:
    made = plan(folder, "exec", BARE, prompt="x", skip_permissions=True)
    assert words(made) == ["/opt/bin/claude", "-p", SKIP, "--", "x"]
    assert (made.agent_session_id, made.hooks, dict(made.files)) == ("", False, {})


# -- permissions ------------------------------------------------------------------------------------------------------


def test_default_permission_mode_is_explicit(folder: Path) -> None:
    assert after(plan(folder), "--permission-mode") == "default"
    assert after(plan(folder, skip_permissions=True), "--permission-mode") == ""
    assert plan(folder, agent_args="--permission-mode plan").script.count("--permission-mode") == 1


@pytest.mark.parametrize("path", ["home/.claude/settings.json", "proj/.claude/settings.local.json"])
def test_permission_mode_of_user_settings_is_kept(folder: Path, path: str) -> None:
    (folder / path).parent.mkdir()
    (folder / path).write_text('{"permissions": {"defaultMode": "acceptEdits"}}')
    assert after(plan(folder), "--permission-mode") == ""


def test_skipped_permissions_warning_does_not_block_start(folder: Path) -> None:
    made = plan(folder, skip_permissions=True)
    assert settings(made)["skipDangerousModePermissionPrompt"] is True
    assert any("accepted" in note for note in made.notes)
    (folder / "home/.claude.json").write_text('{"bypassPermissionsModeAccepted": true}')
    assert not any("accepted" in note for note in plan(folder, skip_permissions=True).notes)
    assert "skipDangerousModePermissionPrompt" not in settings(plan(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_skips_permissions_only_in_a_sandbox(folder: Path) -> None:
    in_container = plan(folder, "exec", prompt="x", skip_permissions=True, environ={"IS_SANDBOX": "", "container": "x"})
    assert in_container.env["IS_SANDBOX"] == "1"
    assert any("container" in note for note in in_container.notes)
    given = plan(folder, "exec", prompt="x", skip_permissions=True)
    assert "IS_SANDBOX" not in given.env
    if claude_launch.detect_container({}):
        pytest.skip("this machine is a container")
    bare = plan(folder, "exec", prompt="x", skip_permissions=True, environ={"IS_SANDBOX": ""})
    assert "IS_SANDBOX" not in bare.env
    assert any("as root" in note for note in bare.notes)


# -- settings and hooks -----------------------------------------------------------------------------------------------


def test_hooks_write_to_the_session_folder(folder: Path) -> None:
    made = plan(folder)
    assert made.hooks
    assert after(made, "--settings") == str(folder / "settings.json")
    hooks = settings(made)["hooks"]
    assert set(hooks) == set(EVENTS)
    (entry,) = hooks["Stop"]
    assert shlex.split(entry["hooks"][0]["command"]) == ["/bin/sh", "/lib/hook.sh", str(folder), "Stop"]


@pytest.mark.parametrize(
    ("version", "left_out"),
    [
        ("2.1.329", set()),
        ("2.1.197", set()),
        ("2.1.50", {"StopFailure"}),
        ("2.0.60", {"StopFailure", "PostToolUseFailure"}),
        ("1.0.90", {"StopFailure", "PostToolUseFailure", "PermissionRequest"}),
        ("", set(EVENTS) - {"PreToolUse", "PostToolUse", "Notification", "Stop"}),
    ],
)
def test_hook_events_unknown_to_the_version_are_omitted(version: str, left_out: set[str]) -> None:
    assert set(EVENTS) - set(known_events(version)) == left_out


@pytest.mark.parametrize("given", ["file", "text", "tilde"])
def test_settings_of_user_and_lisa_are_merged(folder: Path, given: str) -> None:
    theirs = {
        "model": "opus",
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}], "PreCompact": []},
    }
    (folder / "proj" / "s.json").write_text(json.dumps(theirs))
    args = {"file": "--settings s.json", "text": f"--settings {shlex.quote(json.dumps(theirs))}",
            "tilde": f"--settings={folder}/proj/s.json"}[given]  # fmt: skip
    made = plan(folder, agent_args=args)
    both = settings(made)
    assert both["model"] == "opus"
    assert [entry["hooks"][0]["command"][-4:] for entry in both["hooks"]["Stop"]] == ["mine", "Stop"]
    assert "PreCompact" in both["hooks"]
    assert words(made)[-2:] == ["--settings", str(folder / "settings.json")]  # the last one wins


def test_unreadable_settings_are_passed_to_claude(folder: Path) -> None:
    made = plan(folder, agent_args='--settings "$DIR/s.json"')
    assert (made.hooks, dict(made.files)) == (False, {})
    assert any("hooks" in note for note in made.notes)
    assert words(made).count("--settings") == 1


def test_bare_claude_is_reported_without_hooks(folder: Path) -> None:
    assert plan(folder, agent_args="--bare").hooks is False


# -- screen -----------------------------------------------------------------------------------------------------------


def test_interactive_session_runs_on_the_main_screen(folder: Path) -> None:
    name = "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN"
    assert plan(folder).env[name] == "1"
    assert name not in plan(folder, main_screen=False).env
    assert name not in plan(folder, "exec", prompt="x").env
    assert name not in plan(folder, environ={name: "0"}).env


# -- trust ------------------------------------------------------------------------------------------------------------


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "home/.claude.json").read_text())
    return found


def test_trust_is_accepted_on_request_and_keeps_other_settings(folder: Path) -> None:
    before = {"numStartups": 3, "ünï": [1, {"x": None}], "projects": {"/other": {"a": 1}}}
    path = folder / "home/.claude.json"
    path.write_text(json.dumps(before))
    path.chmod(0o640)
    plan(folder)
    assert config(folder) == before
    made = plan(folder, trust=True)
    root = str(folder / "proj")
    expected = {**before, "projects": {"/other": {"a": 1}, root: {"hasTrustDialogAccepted": True}}}
    assert config(folder) == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert any(root in note for note in made.notes)
    assert not path.with_name(".claude.json.lock").exists()


def test_folder_below_a_trusted_folder_is_trusted(folder: Path) -> None:
    path = folder / "home/.claude.json"
    path.write_text(json.dumps({"projects": {str(folder): {"hasTrustDialogAccepted": True}}}))
    before = path.read_bytes()
    assert plan(folder, trust=True).notes == ()
    assert path.read_bytes() == before


def test_trust_follows_symlinks_and_the_configured_folder(folder: Path) -> None:
    (folder / "dotfiles.json").write_text("{}")
    (folder / "cfg").mkdir()
    (folder / "cfg/.claude.json").symlink_to(folder / "dotfiles.json")
    plan(folder, trust=True, environ={"CLAUDE_CONFIG_DIR": str(folder / "cfg")})
    assert (folder / "cfg/.claude.json").is_symlink()
    assert "hasTrustDialogAccepted" in (folder / "dotfiles.json").read_text()
    assert not (folder / "home/.claude.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"projects": 5}'])
def test_unreadable_configuration_is_unchanged(folder: Path, content: str) -> None:
    path = folder / "home/.claude.json"
    path.write_text(content)
    made = plan(folder, trust=True)
    assert path.read_text() == content
    assert any("trust dialog" in note for note in made.notes)


def test_configuration_locked_by_claude_is_unchanged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lisa_py.agents._claude.home.LOCK_MS", 100)
    (folder / "home/.claude.json").write_text("{}")
    lock = folder / "home/.claude.json.lock"
    lock.mkdir()
    assert any("is locked" in note for note in plan(folder, trust=True).notes)
    assert config(folder) == {}
    os.utime(lock, (1, 1))  # left behind by a claude that was killed
    plan(folder, trust=True)
    assert "projects" in config(folder)


def test_expected_trust_dialog_is_announced(folder: Path) -> None:
    assert any("--trust" in note for note in plan(folder).notes)
    assert plan(folder, "exec", prompt="x").notes == ()


def test_exec_run_needs_no_trust(folder: Path) -> None:
    plan(folder, "exec", prompt="x", trust=True)
    assert not (folder / "home/.claude.json").exists()


# -- probe ------------------------------------------------------------------------------------------------------------


def program(folder: Path, text: str) -> str:
    path = folder / "claude"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o700)
    return str(path)


def test_probe_reads_version_and_flags(folder: Path) -> None:
    binary = program(folder, 'case $1 in --version) echo "2.1.329 (Claude Code)";; *) echo " -c, --continue  Go on'
                     '\n --session-id <uuid>  see --resume and the --x-y-z flag, not semi--colon";; esac')  # fmt: skip
    facts = AGENT.probe_binary(binary, {"PATH": os.defpath}, 10)
    assert (facts.binary, facts.version) == (binary, "2.1.329")
    assert facts.flags == {"--continue", "--session-id", "--resume", "--x-y-z"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo no version set >&2; exit 3", "it ended with code 3 (no version set)"),
        ("exec sleep 60", NO_ANSWER),
        ("echo hello", "it names no version"),
        ("kill -9 $$", "it ended with code -9"),
    ],
)
def test_failed_probe_is_unknown_and_named(folder: Path, text: str, reason: str) -> None:
    facts = AGENT.probe_binary(program(folder, text), {"PATH": os.defpath}, 0.5)
    assert (facts.version, facts.flags, facts.complete) == ("", frozenset(), False)
    assert facts.unanswered["--version"] == reason
    notes = plan(folder, facts=facts).notes
    assert any(f"--version: {reason}" in note for note in notes)


def test_missing_binary_is_unknown() -> None:
    facts = AGENT.probe_binary("/nowhere/claude", {}, 1)
    assert (facts.version, set(facts.unanswered)) == ("", {"--version", "--help"})


def test_answered_probe_is_used_if_another_hangs(folder: Path) -> None:
    binary = program(folder, 'case $1 in --version) echo "2.1.329 (Claude Code)";; *) exec sleep 60;; esac')
    facts = AGENT.probe_binary(binary, {"PATH": os.defpath}, 0.5)
    assert (facts.version, facts.unanswered, facts.complete) == ("2.1.329", {"--help": NO_ANSWER}, False)
