"""lisa auth claude status: the first place that holds a credential counts."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def read(machine: LisaHost, **env: str) -> tuple[bool, str, list[str]]:
    found = machine.lisa("auth", "claude", "status", "--json", env=env).json
    return found["has_credentials"], found.get("credential_type", ""), found["sources"]


def test_no_source_is_no_credential(machine: LisaHost) -> None:
    assert read(machine) == (False, "", [])
    assert "set-key" in machine.lisa("auth", "claude", "status").out


def test_credential_sources_are_searched_in_order(machine: LisaHost) -> None:
    assert read(machine, ANTHROPIC_API_KEY="sk-ant-x") == (True, "apikey", ["environment"])
    (machine.home / ".claude").mkdir()
    (machine.home / ".claude" / ".credentials.json").write_text('{"claudeAiOauth": {"accessToken": "planted"}}')
    assert read(machine) == (True, "oauth_token", ["agent"])
    machine.lisa("oauth", "add", "--stdin", stdin="sk-ant-oat01-planted")
    assert read(machine) == (True, "oauth_token", ["pool", "agent"])
    machine.lisa("auth", "claude", "set-key", "--key-from-stdin", stdin="sk-ant-api03-planted")
    assert read(machine) == (True, "apikey", ["stored", "pool", "agent"])
    answer = machine.lisa("auth", "claude", "status", "--json")
    assert answer.json["created_at"].endswith("Z") and "planted" not in answer.out + answer.err


def test_other_access_counts_as_a_login(machine: LisaHost) -> None:
    assert read(machine, CLAUDE_CODE_USE_BEDROCK="1") == (True, "oauth_token", ["agent"])
    (machine.home / ".claude").mkdir()
    (machine.home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_API_KEY": "sk-ant-planted"}}')
    assert read(machine) == (True, "apikey", ["agent"])


def test_disabled_token_is_no_credential(machine: LisaHost) -> None:
    added = machine.lisa("oauth", "add", "--stdin", "--json", stdin="sk-ant-oat01-planted").json
    machine.lisa("oauth", "disable", "--id", added["id"])
    assert read(machine) == (False, "", [])
