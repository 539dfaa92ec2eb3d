"""profiles set."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_creates_and_changes_a_profile(machine: LisaHost) -> None:
    first = machine.lisa(
        *("profiles", "set", "mine", "--max-turns", "5", "--env", "A=plain", "--env", "B=secret://k"),
        *("--description", "my own", "--allowed-tools", "Read", "--no-one-shot", "--json"),
    ).json
    assert first["created"] is True and first["profile"]["isDefault"] is False
    assert first["profile"]["settings"] == {
        "max_turns": 5,
        "one_shot": False,
        "allowed_tools": ["Read"],
        "environment": {"A": "[REDACTED_SECRET]", "B": "secret://k"},
    }
    second = machine.lisa(
        *("profiles", "set", "mine", "--model", "opus", "--allowed-tools", "", "--unset", "max-turns,environment"),
        "--json",
    ).json
    assert second["created"] is False and second["profile"]["description"] == "my own"
    assert second["profile"]["settings"] == {"model": "opus", "one_shot": False, "allowed_tools": []}
    assert second["profile"]["id"] == first["profile"]["id"]


def test_refuses_wrong_values_and_an_eleventh_profile(machine: LisaHost) -> None:
    def code(*words: str) -> str:
        return str(machine.lisa("profiles", "set", *words, "--json").json["errorCode"])

    assert code("--name", " ") == code("--name", "n" * 101) == "invalid_profile_name"
    assert code("--name", "x", "--max-turns", "0") == "invalid_max_turns"
    assert code("--name", "x", "--allowed-tools", "a b") == "invalid_tool_pattern"
    assert code("--name", "x", "--unset", "colour") == "invalid_unset"
    for number in range(8):
        assert machine.lisa("profiles", "set", "--name", f"p{number}").code == 0
    assert code("--name", "p9") == "max_profiles"
