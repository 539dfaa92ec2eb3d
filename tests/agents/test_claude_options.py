"""Settings of a session as flags, files and variables of claude."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.session_settings import SessionSettings

AGENT = agents.get("claude")
SKIP = "--dangerously-skip-permissions"
FLAGS = frozenset(
    ("--session-id", "--settings", "--permission-mode", "--allowedTools", "--disallowedTools", "--mcp-config",
     "--append-system-prompt", "--plugin-dir", SKIP)
)  # fmt: skip
NEW = Facts(binary="/opt/bin/claude", version="2.1.332", flags=FLAGS)
OLD = Facts(binary="/opt/bin/claude", version="1.0.0", flags=frozenset(("--permission-mode",)))
KEY = "sk-ant-api03-planted"


def plan(folder: Path, facts: Facts = NEW, mode: str = "interactive", model: str = "", **settings: Any) -> LaunchPlan:
    (folder / "home").mkdir(exist_ok=True)
    launch = AgentLaunch(
        mode=mode, prompt="P", folder=str(folder), project_root=str(folder), run_id="17", hook="/lib/hook.sh",
        model=model, environ={"HOME": str(folder / "home"), "IS_SANDBOX": "1", "ANTHROPIC_API_KEY": "caller's"},
        settings=SessionSettings(**settings),
    )  # fmt: skip
    return AGENT.plan_launch(launch, facts)


def words(made: LaunchPlan) -> list[str]:
    return shlex.split(made.script)


def values(made: LaunchPlan, flag: str) -> list[str]:
    """Return the words after a flag, up to the next one."""
    line = words(made)
    if flag not in line:
        return []
    rest = line[line.index(flag) + 1 :]
    return rest[: next((at for at, word in enumerate(rest) if word.startswith("-")), len(rest))]


@pytest.mark.parametrize("mode", ["acceptEdits", "plan", "bypassPermissions"])
def test_permission_mode_replaces_skipped_permissions(tmp_path: Path, mode: str) -> None:
    made = plan(tmp_path, permission_mode=mode)
    assert values(made, "--permission-mode") == [mode] and words(made).count("--permission-mode") == 1
    assert SKIP not in words(made)
    assert made.command == f"claude --permission-mode {mode} 'P'"
    own = json.loads(made.files["settings.json"])
    assert own.get("skipDangerousModePermissionPrompt", False) is (mode == "bypassPermissions")


def test_tools_and_model_become_flags(tmp_path: Path) -> None:
    made = plan(tmp_path, model="opus", permission_mode="plan", allowed_tools=("Read", "Bash(git log:*)"),
                denied_tools=("mcp__a",))  # fmt: skip
    assert values(made, "--allowedTools") == ["Read", "Bash(git log:*)"]
    assert values(made, "--disallowedTools") == ["mcp__a"]
    assert values(made, "--model") == ["opus"]
    assert words(made)[-2:] == ["--", "P"]
    assert made.command == (
        "claude --allowedTools 'Read' 'Bash(git log:*)' --disallowedTools 'mcp__a' --model 'opus'"
        " --permission-mode plan -- 'P'"
    )
    assert made.warnings == ()


def test_system_prompt_is_read_from_a_file(tmp_path: Path) -> None:
    made = plan(tmp_path, system_prompt="Be\nbrief.")
    assert values(made, "--append-system-prompt-file") == [str(tmp_path / "system-prompt.txt")]
    assert made.files["system-prompt.txt"] == "Be\nbrief." and "brief" not in made.script


def test_system_prompt_of_an_older_version_is_an_argument(tmp_path: Path) -> None:
    older = Facts(binary="/opt/bin/claude", version="2.0.9", flags=FLAGS)
    made = plan(tmp_path, older, system_prompt="Be brief.")
    assert values(made, "--append-system-prompt") == ["Be brief."] and not made.warnings


def test_servers_are_in_a_secret_file_only(tmp_path: Path) -> None:
    servers = {"a": {"command": "x", "env": {"T": KEY}}, "b": {"url": "http://h", "headers": {"H": KEY}},
               "c": {"type": "sse", "url": "http://h"}}  # fmt: skip
    made = plan(tmp_path, mcp_servers=servers)
    assert values(made, "--mcp-config") == [str(tmp_path / "secrets" / "mcp.json")]
    found = json.loads(made.secret_files["mcp.json"])["mcpServers"]
    assert [found[name]["type"] for name in "abc"] == ["stdio", "http", "sse"]
    assert found["a"]["env"] == {"T": KEY} and found["b"]["headers"] == {"H": KEY}
    assert KEY not in made.script + made.command + json.dumps(made.files)


def test_version_that_logs_headers_gives_a_warning(tmp_path: Path) -> None:
    older = Facts(binary="/opt/bin/claude", version="2.1.197", flags=FLAGS)
    own = {"web": {"url": "http://h", "headers": {"X-Key": KEY}}}
    usual = {"web": {"url": "http://h", "headers": {"Authorization": KEY}}}
    assert len(plan(tmp_path, older, mcp_servers=own).warnings) == 1
    assert plan(tmp_path, older, mcp_servers=usual).warnings == plan(tmp_path, NEW, mcp_servers=own).warnings == ()


def test_key_helper_reads_a_secret_file(tmp_path: Path) -> None:
    made = plan(tmp_path, credentials={"api_key": KEY})
    helper = json.loads(made.files["settings.json"])["apiKeyHelper"]
    assert shlex.split(helper) == ["cat", str(tmp_path / "secrets" / "api-key")]
    assert made.secret_files == {"api-key": KEY} and KEY not in json.dumps([made.env, made.files, made.script])
    assert {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"} <= set(made.unset)


@pytest.mark.parametrize("given", [{"openai_key": KEY}, {"api_key": "sk-proj-x"}])
def test_openai_key_is_never_sent_to_anthropic(tmp_path: Path, given: dict[str, str]) -> None:
    made, without = plan(tmp_path, credentials=given), plan(tmp_path)
    assert (made.env, made.secret_files, made.files) == (without.env, without.secret_files, without.files)
    assert len(made.warnings) == 1 and made.warnings[0].startswith("credentials is not applied: ")
    assert plan(tmp_path, credentials={"anthropic_key": KEY}).secret_files == {"api-key": KEY}


def test_token_of_a_subscription_is_a_variable(tmp_path: Path) -> None:
    made = plan(tmp_path, credentials={"api_key": "sk-ant-oat01-x"})
    assert made.env["CLAUDE_CODE_OAUTH_TOKEN"] == "sk-ant-oat01-x" and not made.secret_files
    assert "CLAUDE_CODE_OAUTH_TOKEN" not in made.unset and "ANTHROPIC_API_KEY" in made.unset


def test_version_without_settings_gets_a_key_variable(tmp_path: Path) -> None:
    made = plan(tmp_path, OLD, credentials={"api_key": KEY})
    assert made.env["ANTHROPIC_API_KEY"] == KEY and "ANTHROPIC_API_KEY" not in made.unset


def test_bedrock_and_vertex_are_variables_of_claude(tmp_path: Path) -> None:
    bedrock = plan(tmp_path, credentials={"auth": "bedrock", "region": "r", "access_key_id": "a",
                                          "secret_access_key": "s", "session_token": "t"})  # fmt: skip
    variables = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "a",
                 "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}  # fmt: skip
    assert {name: bedrock.env.get(name) for name in variables} == variables
    assert "AWS_BEARER_TOKEN_BEDROCK" in bedrock.unset and "CLAUDE_CODE_USE_VERTEX" in bedrock.unset
    bearer = plan(tmp_path, credentials={"auth": "bedrock", "bearer_token": "b"})
    assert bearer.env["AWS_BEARER_TOKEN_BEDROCK"] == "b" and "AWS_BEARER_TOKEN_BEDROCK" not in bearer.unset
    vertex = plan(tmp_path, credentials={"auth": "vertex", "project_id": "p", "region": "r",
                                         "service_account_json": "{}"})  # fmt: skip
    variables = {"CLAUDE_CODE_USE_VERTEX": "1", "ANTHROPIC_VERTEX_PROJECT_ID": "p", "CLOUD_ML_REGION": "r",
                 "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "secrets" / "vertex.json")}  # fmt: skip
    assert {name: vertex.env.get(name) for name in variables} == variables
    assert vertex.secret_files == {"vertex.json": "{}"} and "AWS_REGION" not in vertex.env


def test_credentials_without_a_key_give_a_warning(tmp_path: Path) -> None:
    made = plan(tmp_path, credentials={"region": "x"})
    assert len(made.warnings) == 1 and made.unset == ()


def test_plugin_is_a_folder_or_installed_or_a_skill(tmp_path: Path) -> None:
    (tmp_path / "mine" / "here").mkdir(parents=True)
    (tmp_path / ".claude" / "skills" / "known").mkdir(parents=True)
    plugins = tmp_path / "home" / ".claude" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "installed_plugins.json").write_text('{"version": 2, "plugins": {"lint@market": []}}')
    made = plan(tmp_path, plugins=("mine/here", "lint", "known", "absent"))
    assert values(made, "--plugin-dir") == [os.path.join(tmp_path, "mine/here")]
    assert json.loads(made.files["settings.json"])["enabledPlugins"] == {"lint@market": True}
    assert made.warnings == ("unknown_plugin: claude has no plugin or skill named absent",)


def test_old_version_lists_unsupported_settings(tmp_path: Path) -> None:
    made = plan(tmp_path, OLD, system_prompt="x", mcp_servers={"a": {"command": "x"}})
    assert [warning.split()[0] for warning in made.warnings] == ["system_prompt", "mcp_servers"]
    assert not made.secret_files and "system-prompt" not in made.script


def test_shown_command_line_needs_no_folder() -> None:
    launch = AgentLaunch(mode="interactive", settings=SessionSettings(system_prompt="x", permission_mode="plan"))
    assert AGENT.plan_launch(launch, NEW).command == "claude --permission-mode plan"
