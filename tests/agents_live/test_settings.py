"""Settings of a session reach the real claude and codex, and secrets are nowhere else."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.lifecycle import spawn
from lisa_py.core.lifecycle.launch import LaunchRequest
from lisa_py.core.lifecycle.login import AgentLogin
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from tests.agents_kit import claude_home, pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.secret_search import find_secrets

pytestmark = pytest.mark.agents
SECRETS = {name: f"sk-ant-api03-{name}-planted-{name[::-1]}" for name in ("apikey", "mcpenv", "header", "envvar")}
MCP_SERVER = """
import json, os, sys
for line in sys.stdin:
    call = json.loads(line)
    if call.get("method") == "initialize":
        open(os.environ["PLANT_FILE"], "w").write(os.environ["PLANT_TOKEN"][-8:])
        known = {"protocolVersion": call["params"]["protocolVersion"], "capabilities": {"tools": {}}}
        result = {**known, "serverInfo": {"name": "x", "version": "1"}}
    elif call.get("method") == "tools/list":
        result = {"tools": [{"name": "look", "description": "look", "inputSchema": {"type": "object"}}]}
    else:
        result = {}
    if "id" in call:
        print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}), flush=True)
"""


def start(machine: LisaHost, api: FakeModelApi, agent: str, version: str, prompt: str, **settings: Any) -> Any:
    stage = LiveSessionHarness(machine, api, agent, version=version)
    ctx = stage.ctx = machine.context()
    request = SpawnRequest(
        launch=LaunchRequest(agent=agent, prompt=prompt),
        session=stage.name,
        settings=SessionSettings(**settings),
    )
    result = spawn.spawn_session(ctx, request)
    assert not result.warnings, result.warnings
    return stage


def planted_settings(machine: LisaHost, api: FakeModelApi, agent: str, *, older: bool) -> dict[str, Any]:
    header = "Authorization" if older else "X-Planted"  # an older claude logs all headers but the first
    (machine.folder / "mcp.py").write_text(MCP_SERVER)
    servers = {
        "planted": {
            "command": sys.executable, "args": [str(machine.folder / "mcp.py")],
            "env": {"PLANT_TOKEN": SECRETS["mcpenv"], "PLANT_FILE": str(machine.folder / "mcp-token")},
        },
        "web": {"type": "http", "url": f"{api.url}/mcp", "headers": {header: SECRETS["header"]}},
    }  # fmt: skip
    base = {"base_url": f"{api.url}/v1"} if agent == "codex" else {}
    return {
        "credentials": {"api_key": SECRETS["apikey"], **base},
        "mcp_servers": servers,
        "environment": {"PLANTED": SECRETS["envvar"]},
        "system_prompt": "You are PLANTED-SYSTEM.",
        "permission_mode": "acceptEdits",
        "allowed_tools": ("Bash(mkdir:*)",),
        "denied_tools": ("Bash(touch:*)",),
    }


@pytest.mark.parametrize("pin", pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def test_settings_reach_only_the_agent(machine: LisaHost, api: FakeModelApi, pin: Any) -> None:
    made, refused = machine.project / "made", machine.project / "refused"
    prompt = f"[fake ask mkdir {made} then ask touch {refused} then text finished]"
    stage = start(
        machine,
        api,
        pin.agent,
        pin.version,
        prompt,
        **planted_settings(machine, api, pin.agent, older=pin not in pins()),
    )
    stage.wait_until_idle()
    first = api.wait_for_prompt("fake ask mkdir")
    assert first.credential == SECRETS["apikey"][-8:]
    assert "PLANTED-SYSTEM" in json.dumps(first.body)
    assert made.is_dir() and not refused.exists()
    wait_until(lambda: (machine.folder / "mcp-token").exists(), what="the MCP server")
    assert (machine.folder / "mcp-token").read_text() == SECRETS["mcpenv"][-8:]
    assert any(request.path == "/mcp" for request in api.requests)
    assert find_secrets(stage, SECRETS) == {}
    stage.lisa("kill")
    assert find_secrets(stage, SECRETS) == {} and not Path(stage.ref.file("masked.json")).exists()


@pytest.mark.parametrize("pin", pins(), ids=lambda pin: pin.agent)
def test_denied_program_is_refused_where_a_line_hides_it(machine: LisaHost, api: FakeModelApi, pin: Any) -> None:
    names = ("group", "shell", "variable")
    group, shell, variable = (machine.project / name for name in names)
    prompt = (
        f"[fake tool {{ touch {group}; }} then tool sh -ec 'touch {shell}' then tool X=touch; $X {variable}"
        f" then tool mkdir {machine.project / 'made'} then text finished]"
    )
    credentials = {"api_key": "x" * 20} | ({"base_url": f"{api.url}/v1"} if pin.agent == "codex" else {})
    stage = start(
        machine, api, pin.agent, pin.version, prompt,
        credentials=credentials, permission_mode="bypassPermissions", denied_tools=("Bash(touch:*)",),
    )  # fmt: skip
    stage.wait_until_idle()
    assert (machine.project / "made").is_dir()
    assert not [path.name for path in (group, shell, variable) if path.exists()]


@pytest.mark.parametrize("mode", ["plan", "acceptEdits", "bypassPermissions"])
def test_claude_runs_in_the_permission_mode(machine: LisaHost, api: FakeModelApi, mode: str) -> None:
    stage = start(machine, api, "claude", pins()[0].version, "[fake text hello]", permission_mode=mode, model="sonnet")
    stage.wait_until_idle()
    assert f'"permissionMode":"{mode}"' in stage.transcript()
    assert "sonnet" in api.wait_for_prompt("fake text hello").body["model"]


@pytest.mark.parametrize("pin", [pin for pin in pins(older=True) if pin.agent == "claude"], ids=lambda pin: pin.version)
def test_login_relays_address_and_refusal_of_claude(machine: LisaHost, pin: Any) -> None:
    home = claude_home(machine.folder, machine.project, "http://127.0.0.1:9", version=pin.version)
    machine.env |= {"PATH": home.env["PATH"], "HTTPS_PROXY": "http://127.0.0.1:9", "DISABLE_AUTOUPDATER": "1"}
    with AgentLogin(machine.context(), agents.get("claude")) as login:
        assert re.match(r"https://claude\.(ai|com)/.*oauth/authorize\?\S+\Z", login.start())
        with pytest.raises(LisaError) as refused:
            login.submit("bad#code")
    assert refused.value.code == "auth_login_failed", refused.value
    assert not list(machine.sockets.iterdir())
