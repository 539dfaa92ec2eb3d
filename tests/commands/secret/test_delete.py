"""secret delete."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_deletes_a_secret_of_one_scope(machine: LisaHost) -> None:
    machine.lisa("secret", "set", "--name", "k", stdin="of-user")
    machine.lisa("secret", "set", "--name", "k", "--scope", "project", stdin="of-project")
    assert machine.lisa("secret", "delete", "--name", "k", "--scope", "project").out == "secret deleted: k\n"
    assert machine.lisa("secret", "get", "--name", "k").out == "of-user\n"
    again = machine.lisa("secret", "delete", "--name", "k", "--scope", "project", "--json")
    assert (again.code, again.json["errorCode"]) == (1, "secret_not_found")
