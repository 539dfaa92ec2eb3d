"""secret get."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_the_secret_of_the_project_precedes_that_of_the_user(machine: LisaHost) -> None:
    machine.lisa("secret", "set", "--name", "k", stdin="of-user")
    machine.lisa("secret", "set", "--name", "k", "--scope", "project", stdin="of-project")
    found = machine.lisa("secret", "get", "--name", "k", "--json").json
    assert (found["value"], found["scope"]) == ("of-project", "project")
    elsewhere = machine.lisa("secret", "get", "--name", "k", "--project-root", "/", "--json").json
    assert (elsewhere["value"], elsewhere["scope"]) == ("of-user", "user")
    assert "of-project" not in machine.lisa("secret", "get", "--name", "k", "--no-value", "--json").out


def test_an_unknown_name_is_not_found(machine: LisaHost) -> None:
    answer = machine.lisa("secret", "get", "--name", "nope", "--json")
    assert (answer.code, answer.json["errorCode"], answer.json["secret"]) == (1, "secret_not_found", "nope")
