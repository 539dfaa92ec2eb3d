"""lisa mcp install: the entry in the configuration of claude and codex."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost

CLAUDE = """\
#!/bin/sh
# keeps servers as claude does: refuses a second one of a name, knows no other commands
folder=$HOME/servers
mkdir -p "$folder"
[ "$1 $3 $4" = "mcp --scope user" ] || exit 9
case $2 in
add-json) [ ! -e "$folder/$5" ] || { echo "MCP server $5 already exists in user config" >&2; exit 1; }
    printf '%s' "$6" >"$folder/$5" ;;
remove) [ -e "$folder/$5" ] || { echo "No MCP server named \\"$5\\" in user scope" >&2; exit 1; }
    rm "$folder/$5" ;;
esac
"""


def add_agent(machine: LisaHost, name: str, script: str = "#!/bin/sh\nexit 9\n") -> None:
    program = machine.bin / name
    program.write_text(script)
    program.chmod(0o755)


def answer_initialize(machine: LisaHost, command: str, args: list[str], env: dict[str, str]) -> dict[str, object]:
    """Start the server of an entry and return its answer to the first request of a client."""
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    found = subprocess.run(
        [command, *args],
        env={"PATH": machine.env["PATH"], "HOME": str(machine.home), **env},
        cwd=machine.project,
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    answered: dict[str, object] = json.loads(found.stdout.splitlines()[0])["result"]
    return answered


def test_codex_gets_a_working_entry(machine: LisaHost) -> None:
    add_agent(machine, "codex")
    path = machine.home / ".codex" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    own = '# mine\nmodel = "m"  # the best\n\n[mcp_servers.other]\ncommand = "x"\n'
    path.write_text(own)
    for _ in range(2):  # an older entry is replaced
        done = machine.lisa("mcp", "install", "--agent", "codex", "--json")
        assert (done.code, done.json["installed"], done.json["path"]) == (0, True, str(path)), done
    assert path.read_text().startswith('# mine\nmodel = "m"  # the best\n')
    servers = tomllib.loads(path.read_text())["mcp_servers"]
    assert servers["other"] == {"command": "x"}
    entry = servers["lisa"]
    assert (entry["required"], entry["tool_timeout_sec"], entry["startup_timeout_sec"]) == (True, 3600, 30)
    assert entry["default_tools_approval_mode"] == "approve"
    assert entry["env"]["LISA_STATE_DIR"] == machine.env["LISA_STATE_DIR"]
    answered = answer_initialize(machine, entry["command"], entry["args"], entry["env"])
    assert answered["serverInfo"]["name"] == "lisa"  # type: ignore[index]


def test_claude_adds_the_entry(machine: LisaHost) -> None:
    add_agent(machine, "claude", CLAUDE)
    for _ in range(2):
        done = machine.lisa("mcp", "install", "--agent", "claude", "--json")
        assert (done.code, done.json["path"]) == (0, str(machine.home / ".claude.json")), done
    entry = json.loads((machine.home / "servers" / "lisa").read_text())
    assert (entry["type"], entry["args"][-2:]) == ("stdio", ["mcp", "serve"])
    assert Path(entry["command"]).is_absolute()
    printed = machine.lisa("mcp", "install", "--agent", "claude", "--print")
    assert json.loads(printed.out)["mcpServers"]["lisa"] == entry
    add_agent(machine, "claude", "#!/bin/sh\necho 'config is broken' >&2\nexit 1\n")
    refused = machine.lisa("mcp", "install", "--agent", "claude", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "mcp_install_failed")
    assert "config is broken" in refused.json["error"]


def test_agent_without_mcp_support_is_refused(machine: LisaHost) -> None:
    refused = machine.lisa("mcp", "install", "--agent", "scripted", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "mcp_install_failed")
    unknown = machine.lisa("mcp", "install", "--agent", "nobody", "--json")
    assert (unknown.code, unknown.json["errorCode"]) == (1, "invalid_agent")


def test_print_changes_nothing_and_needs_no_agent(machine: LisaHost) -> None:
    printed = machine.lisa("mcp", "install", "--agent", "codex", "--print", env={"PATH": "/nonexistent"})
    assert tomllib.loads(printed.out)["mcp_servers"]["lisa"]["required"] is True
    assert not (machine.home / ".codex").exists()
    missing = machine.lisa("mcp", "install", "--agent", "codex", "--json", env={"PATH": "/nonexistent"})
    assert missing.json["errorCode"] == "agent_not_installed"


@pytest.mark.parametrize("text", ("[mcp_servers\n", "mcp_servers = 1\n"))
def test_malformed_configuration_is_unchanged(machine: LisaHost, text: str) -> None:
    add_agent(machine, "codex")
    path = machine.home / ".codex" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    refused = machine.lisa("mcp", "install", "--agent", "codex", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "mcp_install_failed"), refused
    assert path.read_text() == text


def test_symlinked_configuration_stays_a_symlink(machine: LisaHost) -> None:
    add_agent(machine, "codex")
    real = machine.home / "dotfiles.toml"
    real.write_text('model = "m"\n')
    path = machine.home / ".codex" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(real)
    assert machine.lisa("mcp", "install", "--agent", "codex", "--json").code == 0
    assert path.is_symlink()
    assert "mcp_servers.lisa" in real.read_text()
