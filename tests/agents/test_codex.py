"""Start of codex: the command line for users, and the one that is run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents.launch import NO_ANSWER, AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.commit_line import build_commit_line
from lisa_py.contract.errors import LisaError
from lisa_py.host.processes import Process

AGENT = agents.get("codex")
HOOKS = frozenset(f"hook {event}" for event in ("SessionStart", "UserPromptSubmit", "PermissionRequest", "Stop"))
NEW = Facts(
    binary="/opt/codex",
    version="0.169.0",
    flags=frozenset(("--no-daemon", "--no-alt-screen", "--sandbox", "exec --sandbox")) | HOOKS,
)
OLD = Facts(binary="/opt/codex", version="0.80.0", flags=frozenset(("--full-auto", "exec --full-auto", "--sandbox")))


def launch(mode: str, prompt: str = "", **more: Any) -> AgentLaunch:
    return AgentLaunch(mode=mode, prompt=prompt, **more)


def plan(mode: str, prompt: str = "", facts: Facts = NEW, **more: Any) -> LaunchPlan:
    return AGENT.plan_launch(launch(mode, prompt, **more), facts)


def words(made: LaunchPlan) -> list[str]:
    return shlex.split(made.script.replace("</dev/null", ""))


def settings(made: LaunchPlan) -> list[str]:
    line = words(made)
    return [line[at + 1] for at, word in enumerate(line) if word == "-c"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (launch("exec", "hi", model="m1"), "codex exec 'hi' --full-auto --skip-git-repo-check --model 'm1'"),
        (launch("exec", "hi", agent_args="--full-auto"), "codex exec 'hi' --skip-git-repo-check --full-auto"),
        (
            launch("exec", "Use ./lisa", bypass=True),
            "codex exec 'Use ./lisa' --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox",
        ),
        (
            launch("exec", "P", bypass=True, model="M"),
            "codex exec 'P' --skip-git-repo-check --model 'M' --dangerously-bypass-approvals-and-sandbox",
        ),
        (
            launch("exec", "P", agent_args="--dangerously-bypass-approvals-and-sandbox", bypass=True),
            "codex exec 'P' --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox",
        ),
        (
            launch("exec", "hi", agent_args="--skip-git-repo-check --json"),
            "codex exec 'hi' --full-auto --skip-git-repo-check --json",
        ),
        (launch("interactive", "multi\nline it's", model="a b"), "codex --model 'a b' $'multi\\nline it\\'s'"),
        (launch("interactive", model="M"), "codex --model 'M'"),
        (launch("interactive", "go", agent_args="-s read-only"), "codex -s read-only 'go'"),
        (launch("interactive"), "codex"),
    ],
)
def test_shown_command_line_equals_the_contract(given: AgentLaunch, line: str) -> None:
    assert AGENT.build_command(given) == line


def test_exec_run_without_a_prompt_is_refused() -> None:
    with pytest.raises(LisaError) as failed:
        AGENT.build_command(launch("exec"))
    assert failed.value.code == "agent_command_build_failed"


def test_bypass_with_full_auto_is_refused() -> None:
    args = "--full-auto --dangerously-bypass-approvals-and-sandbox"
    with pytest.raises(LisaError) as failed:
        AGENT.build_command(launch("exec", "hi", agent_args=args))
    assert failed.value.code == "agent_command_build_failed"


def test_nesting_is_checked_only_for_exec_runs() -> None:
    assert AGENT.wants_bypass(launch("exec", "x"))
    assert not AGENT.wants_bypass(launch("interactive", "x"))


def test_version_without_full_auto_gets_equivalent_flags() -> None:
    made = plan("exec", "hi")
    assert made.command == "codex exec 'hi' -s workspace-write --skip-git-repo-check"
    assert "--full-auto" not in words(made)
    assert "-s workspace-write" in made.script
    assert any("--full-auto" in note for note in made.notes)


def test_version_with_full_auto_gets_the_flag() -> None:
    made = plan("exec", "hi", OLD)
    assert "--full-auto" in words(made)
    assert "workspace-write" not in made.script


@pytest.mark.parametrize(
    ("mode", "given", "shown"),
    [
        ("exec", {"agent_args": "--full-auto --json"}, "exec 'hi' --skip-git-repo-check -s workspace-write --json"),
        ("exec", {"agent_args": "-s read-only"}, "exec 'hi' --skip-git-repo-check -s read-only"),
        ("exec", {"bypass": True}, f"exec 'hi' --skip-git-repo-check {AGENT.bypass_flag}"),
        ("interactive", {"model": "m"}, "--model 'm' 'hi'"),
        ("interactive", {"nested": True}, "-c allow_login_shell=false 'hi'"),
    ],
)
def test_shown_command_has_the_flags_that_run(mode: str, given: dict[str, Any], shown: str) -> None:
    made = plan(mode, "hi", **given)
    assert made.command == f"codex {shown}"
    assert set(shlex.split(shown)) <= set(words(made))


def test_tools_of_a_nested_run_keep_the_path() -> None:
    made = plan("exec", "Use ./lisa", bypass=True, nested=True)
    assert "allow_login_shell=false" in words(made)
    assert any("lisa on PATH" in note for note in made.notes)
    assert "allow_login_shell=false" not in words(plan("exec", "hi"))
    assert "allow_login_shell=false" not in words(plan("exec", "hi", OLD, nested=True))
    own = plan("exec", "hi", nested=True, agent_args="-c allow_login_shell=true")
    assert "allow_login_shell=false" not in words(own)
    for made in (own, plan("exec", "hi", OLD, nested=True)):
        assert any("sets its own PATH" in note for note in made.notes)
    assert not any("PATH" in note for note in plan("exec", "hi", OLD).notes)


def test_full_auto_of_the_user_is_replaced() -> None:
    assert "-s workspace-write" in plan("exec", "hi", agent_args="--full-auto --json").script
    interactive = plan("interactive", "hi", agent_args="--full-auto")
    assert "-s workspace-write -a on-request" in interactive.script
    assert "--full-auto" not in interactive.script


@pytest.mark.parametrize("args", ["-s read-only", "--sandbox=read-only", "-sread-only", "-c 'sandbox_mode=\"x\"'"])
def test_sandbox_flag_of_the_user_is_kept(args: str) -> None:
    assert "workspace-write" not in plan("exec", "hi", agent_args=args).script


def test_bypass_removes_the_sandbox_flag() -> None:
    made = plan("exec", "hi", bypass=True)
    assert "--dangerously-bypass-approvals-and-sandbox" in words(made)
    assert "workspace-write" not in made.script


def test_codex_background_server_is_disabled() -> None:
    assert "--no-daemon" in words(plan("interactive"))
    assert "features.daemon_auto_start=false" in settings(plan("interactive", facts=OLD))
    assert "--no-daemon" not in words(plan("interactive", agent_args="--remote unix://"))


def test_main_screen_is_used_where_codex_supports_it() -> None:
    assert "--no-alt-screen" in words(plan("interactive"))
    assert "--no-alt-screen" not in words(plan("interactive", main_screen=False))
    assert "--no-alt-screen" not in words(plan("interactive", facts=OLD))


def test_update_dialog_is_disabled_by_default() -> None:
    assert "check_for_update_on_startup=false" in settings(plan("interactive"))
    enabled = plan("interactive", agent_args="-c check_for_update_on_startup=true")
    assert "check_for_update_on_startup=false" not in settings(enabled)


def test_title_is_configured_with_state_and_thread() -> None:
    assert any(setting.startswith("tui.terminal_title=") for setting in settings(plan("interactive")))
    assert not any("terminal_title" in setting for setting in settings(plan("interactive", facts=OLD)))
    assert not any("terminal_title" in setting for setting in settings(plan("exec", "hi")))
    own = plan("interactive", agent_args="-c 'tui.terminal_title=[\"model\"]'")
    assert [setting for setting in settings(own) if "terminal_title" in setting] == ['tui.terminal_title=["model"]']


def test_trust_is_set_for_the_run_only() -> None:
    made = plan("interactive", trust=True, project_root='/tmp/a b.c"d\\e')
    assert 'projects={"/tmp/a b.c\\"d\\\\e"={trust_level="trusted"}}' in settings(made)
    assert any("trusts" in note for note in made.notes)
    assert not any("projects" in setting for setting in settings(plan("interactive", project_root="/tmp/x")))


def test_only_the_hook_of_lisa_is_trusted_by_digest() -> None:
    made = plan("interactive", folder="/s p/it's", hook="/pkg/hook.sh", facts=NEW)
    assert made.hooks
    given = settings(made)
    stop = next(setting for setting in given if setting.startswith("hooks.Stop="))
    assert "/bin/sh '/pkg/hook.sh' '/s p/it'\\\"'\\\"'s' Stop" in stop
    state = next(setting for setting in given if setting.startswith("hooks.state="))
    assert state.count("trusted_hash") == len(HOOKS)
    assert "--dangerously-bypass-hook-trust" not in made.script


def test_hook_digest_equals_the_digest_of_codex() -> None:
    from lisa_py.agents._codex import hooks

    # reported by codex 0.169.0 itself (app-server, hooks/list)
    known = "sha256:f81965d874ef3dee55f1592323f03bcea598053c8020c685cdd3749c4062ce38"
    assert known in hooks.hook_settings("/bin/sh /x/hook.sh /y", ["PreToolUse"])[-1]


def test_exec_run_has_only_the_session_start_hook() -> None:
    made = plan("exec", "hi", folder="/s", hook="/pkg/hook.sh")
    given = [setting.partition("=")[0] for setting in settings(made) if setting.startswith("hooks.")]
    assert given == ["hooks.SessionStart", "hooks.state"]


def test_hooks_are_omitted_if_codex_would_ask_or_conflict() -> None:
    more = {"folder": "/s", "hook": "/pkg/hook.sh"}
    assert not plan("interactive", facts=OLD, **more).hooks
    clash = plan("interactive", agent_args="-c 'hooks.Stop=[]'", **more)
    assert not clash.hooks
    assert "hooks.state" not in clash.script


@pytest.mark.parametrize("prompt", ["--help me", "-", "resume", "exec"])
def test_prompt_is_not_parsed_as_flag_or_command(prompt: str) -> None:
    for mode in ("exec", "interactive"):
        made = plan(mode, prompt)
        if made.stdin is not None:
            assert (made.stdin, words(made)[-1]) == (prompt, "-")
        else:
            assert words(made)[-2:] == ["--", prompt]


@pytest.mark.parametrize("prompt", ['it\'s "so"', "two\nlines\n", "$HOME `x` \\", "tab\there", "ünï 👩‍👧"])
def test_prompt_reaches_codex_unchanged(prompt: str, tmp_path: Path) -> None:
    import subprocess

    shown = tmp_path / "codex"
    shown.write_text('#!/bin/sh\nfor word; do last=$word; done\nprintf "%s" "$last"\n')
    shown.chmod(0o700)
    for mode in ("exec", "interactive"):
        made = plan(mode, prompt, Facts(binary=str(shown), version="0.169.0"))
        ran = subprocess.run(["bash", "-c", made.script + "\n"], capture_output=True, check=True)
        assert ran.stdout.decode() == prompt


def test_first_prompt_with_exclamation_mark_is_text() -> None:
    assert words(plan("interactive", "!rm -rf build"))[-1] == " !rm -rf build"
    assert words(plan("exec", "!rm -rf build"))[-1] == "!rm -rf build"


def test_long_prompt_is_not_on_the_command_line() -> None:
    long = "x" * 100_001
    run = plan("exec", long)
    assert run.stdin == long
    assert "xxx" not in run.script
    assert "</dev/null" not in run.script
    talk = plan("interactive", long)
    assert talk.send_prompt
    assert "xxx" not in talk.script


def test_exec_run_does_not_read_the_terminal() -> None:
    assert " exec </dev/null " in plan("exec", "hi").script


def test_piped_arguments_follow_the_prompt() -> None:
    made = plan("exec", "hi", agent_args="--json | tee log")
    assert made.script.endswith("'hi' --json | tee log")


def test_user_subcommand_stays_before_the_prompt() -> None:
    assert plan("exec", "go on", agent_args="resume --last").script.endswith("resume --last 'go on'")


@pytest.mark.parametrize(
    ("argv", "name", "is_it"),
    [
        (("codex", "exec"), "codex", True),
        (("/opt/x/bin/codex",), "codex", True),
        (("node", "/usr/lib/node_modules/@openai/codex/bin/codex.js"), "node", True),
        (("node", "/usr/local/bin/codex", "--no-daemon"), "node", True),
        (("/opt/codex-x86_64-unknown-linux-musl",), "codex-x86_64-un", True),
        (("/h/.codex/tmp/arg0-linux/codex-arg0Iu7g3M/codex-linux-sandbox", "--"), "codex-linux-san", False),
        (("codex-linux-sandbox", "--apply-seccomp-then-exec"), "codex", False),
        (("bwrap", "--as-pid-1"), "3", False),
        (("/bin/bash", "-lc", "codex"), "bash", False),
        (("node", "server.js", "codex"), "node", False),
        (("grep", "codex"), "grep", False),
    ],
)
def test_codex_process_is_identified(argv: tuple[str, ...], name: str, is_it: bool) -> None:
    process = Process(pid=2, ppid=1, started=1.0, name=name, state="S", cpu_seconds=0.0, argv=argv)
    assert AGENT.is_agent(process) is is_it


def test_probe_of_another_program_ends_in_time(tmp_path: Path) -> None:
    import time

    other = tmp_path / "codex"
    other.write_text("#!/bin/sh\nsleep 30\n")
    other.chmod(0o700)
    began = time.monotonic()
    facts = AGENT.probe_binary(str(other), {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}, 0.5)
    assert (facts.version, facts.flags) == ("", frozenset())
    assert time.monotonic() - began < 5
    assert [path.name for path in tmp_path.iterdir()] == ["codex"]


SHIM = """#!/bin/sh
[ -e "$HOME/.tool-versions" ] || { echo "no version set" >&2; exit 1; }
touch "$CODEX_HOME/written"
case "$*" in
--version) echo codex-cli 0.171.0 ;;
app-server*) exec sleep 60 ;;
*) echo "  --json" ;;
esac
"""


def test_probes_use_an_empty_codex_folder(tmp_path: Path) -> None:
    home, temp = tmp_path / "home", tmp_path / "temp"
    (home / ".codex").mkdir(parents=True)
    temp.mkdir()
    (home / ".tool-versions").touch()
    shim = tmp_path / "codex"
    shim.write_text(SHIM)
    shim.chmod(0o700)
    env = {"HOME": str(home), "TMPDIR": str(temp), "PATH": "/usr/bin:/bin", "CODEX_HOME": str(home / ".codex")}
    facts = AGENT.probe_binary(str(shim), env, 1.0)
    assert (facts.version, facts.flags) == ("0.171.0", {"--json", "exec --json"})
    assert facts.unanswered == {"app-server": NO_ANSWER}
    assert (list(temp.iterdir()), list((home / ".codex").iterdir())) == ([], [])
    (home / ".tool-versions").unlink()
    failed = AGENT.probe_binary(str(shim), env, 1.0)
    assert failed.unanswered["--version"] == "it ended with code 1 (no version set)"
    notes = AGENT.plan_launch(launch("exec", "hi"), failed).notes
    assert any("no version set" in note for note in notes)
    assert not any("has no --full-auto" in note for note in notes)


def test_probe_lists_the_flags_of_the_help_pages(tmp_path: Path) -> None:
    fake = tmp_path / "codex"
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "--version) echo codex-cli 0.80.0;;\n"
        "--help) printf '  -m, --model <M>\\n      --full-auto\\n          see --not-a-flag\\n';;\n"
        "'exec --help') printf '      --json\\n';;\n"
        "app-server*) exit 2;;\n"
        "esac\n"
    )
    fake.chmod(0o700)
    facts = AGENT.probe_binary(str(fake), {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}, 10)
    assert facts.version == "0.80.0"
    assert facts.flags == {"--model", "--full-auto", "exec --json"}


@pytest.mark.parametrize(
    ("mode", "given", "noted"),
    [
        ("interactive", {}, True),
        ("exec", {}, True),
        ("interactive", {"bypass": True}, False),
        ("interactive", {"agent_args": "--dangerously-bypass-approvals-and-sandbox"}, False),
        ("exec", {"agent_args": "-s danger-full-access"}, False),
    ],
)
def test_plan_of_a_worktree_notes_the_line_that_commits(mode: str, given: dict[str, Any], noted: bool) -> None:
    notes = [
        note for note in plan(mode, "hi", worktree="/w/t", **given).notes if "cannot commit in its sandbox" in note
    ]
    assert len(notes) == noted
    for note in notes:
        assert note.endswith(f"commit for it: {build_commit_line('/w/t')}")
        assert ("lisa session approve" in note) is (mode == "interactive")
    assert not any("commit" in note for note in plan(mode, "hi", **given).notes)
