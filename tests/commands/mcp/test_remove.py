"""lisa mcp remove: the entry leaves the configuration, and nothing else does."""

from __future__ import annotations

from tests.commands.mcp.test_install import CLAUDE, add_agent
from tests.lisa_host import LisaHost


def test_codex_keeps_other_configuration(machine: LisaHost) -> None:
    add_agent(machine, "codex")
    path = machine.home / ".codex" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    own = '# mine\nmodel = "m"  # the best\n\n[mcp_servers.other]\ncommand = "x"\n'
    path.write_text(own)
    assert machine.lisa("mcp", "install", "--agent", "codex", "--json").code == 0
    removed = machine.lisa("mcp", "remove", "--agent", "codex", "--json").json
    assert (removed["removed"], removed["path"]) == (True, str(path))
    assert path.read_text() == own
    assert machine.lisa("mcp", "remove", "--agent", "codex", "--json").json["removed"] is False


def test_claude_removes_the_entry(machine: LisaHost) -> None:
    add_agent(machine, "claude", CLAUDE)
    assert machine.lisa("mcp", "install", "--agent", "claude", "--json").code == 0
    assert machine.lisa("mcp", "remove", "--agent", "claude", "--json").json["removed"] is True
    assert not (machine.home / "servers" / "lisa").exists()
    assert machine.lisa("mcp", "remove", "--agent", "claude", "--json").json["removed"] is False
