"""Settings on the way to an agent: agent, model and mode, environment, secret files."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.lifecycle import launch, session_files
from lisa_py.core.lifecycle.launch import LaunchRequest
from lisa_py.core.lifecycle.spawn import spawn_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest, plan_spawn
from lisa_py.store.oauth_tokens import TokenReservation
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.secret_search import find_secrets
from tests.session_harness import SessionHarness


def test_agent_and_model_come_from_the_settings_unless_given() -> None:
    settings = SessionSettings(agent="codex", model="m1")
    taken = launch.resolve_launch(LaunchRequest(), settings)
    assert (taken.agent.name, taken.launch.model) == ("codex", "m1")
    given = launch.resolve_launch(LaunchRequest(agent="codex", model="m2"), settings)
    assert given.launch.model == "m2"


def test_every_agent_takes_the_model_of_the_settings() -> None:
    opus = SessionSettings(model="opus")
    assert launch.resolve_launch(LaunchRequest(agent="claude"), opus).launch.model == "opus"
    own = launch.resolve_launch(LaunchRequest(agent="claude", agent_args="--model x"), opus)
    assert own.launch.model == ""


@pytest.mark.parametrize(("provider", "agent"), [("openai", "codex"), ("anthropic", "claude"), ("google", "claude")])
def test_provider_chooses_the_agent(provider: str, agent: str) -> None:
    assert launch.resolve_launch(LaunchRequest(), SessionSettings(provider=provider)).agent.name == agent


@pytest.mark.parametrize(
    ("settings", "mode", "skips"),
    [
        (SessionSettings(), "", True),
        (SessionSettings(permission_mode="bypassPermissions"), "bypassPermissions", True),
        (SessionSettings(permission_mode="plan"), "plan", False),
        (SessionSettings(allowed_tools=("Read",)), "acceptEdits", False),
        (SessionSettings(denied_tools=("Read",)), "", True),
        (SessionSettings(allowed_tools=()), "", True),
    ],
)
def test_permission_mode_decides_skipped_permissions(settings: SessionSettings, mode: str, skips: bool) -> None:
    found = launch.resolve_launch(LaunchRequest(agent="claude"), settings).launch
    assert (found.settings.permission_mode or "", found.skip_permissions) == (mode, skips)
    kept = launch.resolve_launch(LaunchRequest(agent="claude", skip_permissions=False), settings).launch
    assert kept.skip_permissions is (mode == "bypassPermissions")


def test_empty_key_uses_the_token_pool() -> None:
    found = launch.resolve_launch(LaunchRequest(agent="claude"), SessionSettings(credentials={"api_key": ""}))
    assert not found.launch.settings.credentials


def test_environment_and_secrets_are_variables_of_the_agent(machine: LisaHost) -> None:
    request = SpawnRequest(
        launch=LaunchRequest(agent="scripted"),
        session="lisa-a",
        settings=SessionSettings(environment={"ONE": "set", "TWO": "set"}),
        secrets={"TWO": "secret", "HOME": "/elsewhere"},
    )
    plan = plan_spawn(machine.context(), request)
    found = session_files.build_environment(machine.context(), plan, TokenReservation())
    assert (found["ONE"], found["TWO"], found["HOME"]) == ("set", "secret", "/elsewhere")
    with pytest.raises(LisaError) as refused:
        plan_spawn(machine.context(), SpawnRequest(launch=LaunchRequest(agent="scripted"), secrets={"A;b": "x"}))
    assert refused.value.code == "invalid_env"


def test_key_of_the_server_is_not_inherited(machine: LisaHost) -> None:
    machine.env["LISA_API_TOKEN"] = "planted-key-of-the-caller"
    machine.lisa("session", "spawn", "--session", "lisa-a", "--max-turns", "9", "--agent", "scripted", "--json")
    stage = SessionHarness(machine, "lisa-a")
    stage.wait_for_state("idle")
    assert find_secrets(stage, {"key": machine.env["LISA_API_TOKEN"]}) == {}
    assert "LISA_API_TOKEN" not in Path(f"/proc/{stage.agent_state()['pid']}/environ").read_text()


def test_a_referenced_secret_reaches_the_agent_and_no_output(machine: LisaHost) -> None:
    value = "planted-value-0123456789"
    machine.lisa("secret", "set", "--name", "k", stdin=value)
    wanted = ("--env", "KEY=secret://k", "--command", 'echo "is:$KEY:${#KEY}:"; exec sleep 60')
    assert machine.lisa("session", "spawn", "--session", "lisa-a", *wanted, "--json").json["session"] == "lisa-a"
    wait_until(lambda: ":24:" in machine.lisa("session", "capture", "lisa-a").out, what="the output")
    for call in (("capture", "lisa-a", "--raw"), ("capture", "lisa-a", "--json"), ("packet", "lisa-a", "--json")):
        shown = machine.lisa("session", *call).out
        assert "is:[REDACTED_SECRET]:24:" in shown and value not in shown
    assert value not in machine.lisa("session", "history", "lisa-a", "--raw").out
    folder = Path(machine.context().ref("lisa-a").folder)
    holding = [path.name for path in folder.rglob("*") if path.is_file() and value in path.read_text(errors="replace")]
    assert holding == ["masked.json"] and stat.S_IMODE((folder / "masked.json").stat().st_mode) == 0o600
    machine.lisa("session", "kill", "lisa-a")
    assert not (folder / "masked.json").exists()


def test_dry_run_shows_warnings_and_no_values(machine: LisaHost) -> None:
    machine.add_program("codex", "#!/bin/sh\necho codex-cli 0.171.0\n")
    words = ("--agent", "codex", "--denied-tools", "Write", "--env", "A=planted-value", "--dry-run", "--json")
    answer = machine.lisa("session", "spawn", *words)
    assert answer.json["env"]["A"] == "[managed-by-lisa]" and "planted" not in answer.out
    assert [warning.split()[0] for warning in answer.json["warnings"]] == ["denied_tools"]


def test_a_missing_secret_creates_nothing(machine: LisaHost) -> None:
    answer = machine.lisa("session", "spawn", "--session", "lisa-a", "--env", "K=hive://secret/no", "--json")
    assert (answer.json["errorCode"], answer.json["secret"]) == ("secret_not_found", "no")
    assert not Path(machine.context().ref("lisa-a", str(machine.project)).folder).exists()


def test_custom_command_and_scripted_agent_warn_of_settings(machine: LisaHost) -> None:
    settings = SessionSettings(system_prompt="x", allowed_tools=("Read",), environment={"A": "b"}, provider="google")
    plans = []
    for request in (LaunchRequest(agent="scripted"), LaunchRequest(command="cat")):
        prepared = launch.prepare_launch(
            machine.context(), launch.resolve_launch(request, settings), folder="", project_root="", run_id="1",
            environ=machine.env,
        )  # fmt: skip
        plans.append([warning.split()[0] for warning in prepared.plan.warnings])
    assert plans == [["provider", "system_prompt"], ["permission_mode", "allowed_tools", "system_prompt"]]


def test_rules_decide_without_a_dialog(machine: LisaHost) -> None:
    session = SessionHarness(machine)
    rules = ("--allowed-tools", "Bash(printf:*)", "--denied-tools", "Bash(touch:*)")
    session.spawn("[ask printf yes] [ask printf no; touch x] [ask cat x]", *rules)
    session.wait_for_state("waiting", detail="cat x")
    assert [record["text"] for record in session.transcript("tool_result")] == [
        "yes",
        "a rule of this session denies Bash(touch:*); this call runs: touch x",
    ]
    wait_until(lambda: "cat x" in session.lisa("dialogs").out, what="the dialog that no rule decides")
    assert not (machine.project / "x").exists()


CLAUDE_LIKE = """#!/bin/sh
case $1 in
--version) echo "2.1.332 (Claude Code)" ;;
--help) echo "  --settings --mcp-config --append-system-prompt --permission-mode" ;;
*) echo "started with $REFERENCE"; env >"$AWAY/environment"; cp -r "$LISA_SESSION_DIR/secrets" "$AWAY/"
   echo "$@" >"$AWAY/arguments"; ls -l "$AWAY/secrets" >"$AWAY/modes"; read -r line; echo "ended" ;;
esac
"""
PLANTED = {kind: f"planted-{kind}-0123456789" for kind in ("key", "mcp", "header", "env", "variable")}


def test_planted_secrets_are_in_the_private_files_only(machine: LisaHost) -> None:
    """Spawn a program with claude's flags; search all files while it runs, after its end and after the kill."""
    away = Path(tempfile.mkdtemp(prefix="lisa-t-away-"))
    machine.add_program("claude", CLAUDE_LIKE)
    machine.env["ANTHROPIC_API_KEY"] = "callers-key"
    machine.lisa("secret", "set", "--name", "k", stdin=PLANTED["env"])
    settings = SessionSettings(
        credentials={"api_key": PLANTED["key"]},
        environment={"E": PLANTED["variable"], "REFERENCE": "secret://k", "AWAY": str(away)},
        mcp_servers={
            "a": {"command": "x", "env": {"T": PLANTED["mcp"]}},
            "b": {"url": "http://h", "headers": {"H": PLANTED["header"]}},
        },
    )
    session = SessionHarness(machine)
    spawn_session(
        session.ctx, SpawnRequest(launch=LaunchRequest(agent="claude"), session=session.name, settings=settings)
    )
    wait_until(lambda: (away / "modes").exists(), what="the program")
    given = (away / "environment").read_text()
    assert PLANTED["variable"] in given and PLANTED["env"] in given and "callers-key" not in given
    assert (away / "secrets" / "api-key").read_text() == PLANTED["key"]
    servers = (away / "secrets" / "mcp.json").read_text()
    assert PLANTED["mcp"] in servers and PLANTED["header"] in servers
    assert "planted" not in (away / "arguments").read_text()
    assert set(re.findall(r"(?m)^-(\S{9})", (away / "modes").read_text())) == {"rw-------"}
    shutil.rmtree(away)
    store = str(machine.folder / "state" / "secrets")  # the store of `secret set` itself
    assert find_secrets(session, PLANTED) == {store: ["env"]}
    session.lisa("send", "--keys", "Enter", "--force")
    wait_until(lambda: Path(session.ref.done).exists(), what="the end")
    assert not Path(session.ref.file("secrets")).exists()
    session.lisa("kill")
    assert find_secrets(session, PLANTED, output=("history",)) == {store: ["env"]}
    assert not Path(session.ref.file("masked.json")).exists()


def test_dialogs_and_status_show_no_secret(machine: LisaHost) -> None:
    value = "planted-value-0123456789"
    machine.lisa("secret", "set", "--name", "k", stdin=value)
    prompt = f"[ask echo {value}] [say done]"
    words = ("--agent", "scripted", "--no-dangerously-skip-permissions", "--prompt", prompt)
    machine.lisa("session", "spawn", "--session", "lisa-a", "--env", "KEY=secret://k", *words)
    found = wait_until(lambda: machine.lisa("session", "dialogs", "--json").json["dialogs"], what="the dialog")
    assert "[REDACTED_SECRET]" in str(found) and value not in str(found)
    readers = (
        ("dialogs", "lisa-a", "--json"),
        ("status", "lisa-a", "--json"),
        ("status", "lisa-a", "--full"),
        ("list", "--json"),
        ("list",),
        ("tree", "--json"),
        ("explain", "lisa-a", "--json"),
        ("snapshot", "lisa-a", "--json"),
        ("monitor", "lisa-a", "--until-state", "waiting_input", "--json"),
        ("wait", "lisa-a", "--until-state", "waiting_input", "--json"),
    )
    outputs = {call: machine.lisa("session", *call).out for call in readers}
    assert [call for call, out in outputs.items() if value in out or not out.strip()] == []
    Path(machine.context().ref("lisa-a").file("masked.json")).write_text('["planted-va')
    outputs = {call: machine.lisa("session", *call).out for call in readers}
    assert [call for call, out in outputs.items() if value in out] == []
    refusing = ("capture", "history", "packet", "handoff", "snapshot", "attach")
    codes = {name: machine.lisa("session", name, "lisa-a", "--json").json["errorCode"] for name in refusing}
    assert codes == dict.fromkeys(refusing, "secrets_unreadable")
    warned = machine.lisa("session", "dialogs", "--json").json
    assert (warned["dialogs"], warned["warnings"][0]["errorCode"]) == ([], "secrets_unreadable")
    assert machine.lisa("session", "list", "--json").code == machine.lisa("session", "kill", "lisa-a").code == 0
