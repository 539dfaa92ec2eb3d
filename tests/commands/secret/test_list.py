"""secret list."""

from __future__ import annotations

from pathlib import Path

from tests.lisa_host import LisaHost


def test_lists_names_without_values(machine: LisaHost) -> None:
    assert machine.lisa("secret", "list").out == "no secrets stored\n"
    machine.lisa("secret", "set", "--name", "b", stdin="val-b")
    machine.lisa("secret", "set", "--name", "a", stdin="val-a")
    machine.lisa("secret", "set", "--name", "p", "--scope", "project", stdin="val-p")
    answer = machine.lisa("secret", "list", "--json")
    assert [(each["name"], each["scope"]) for each in answer.json["secrets"]] == [
        ("p", "project"),
        ("a", "user"),
        ("b", "user"),
    ]
    assert "val-" not in answer.out and machine.lisa("secret", "list").out.startswith("p,project,")


def test_a_corrupt_store_stays_in_place(machine: LisaHost) -> None:
    store = Path(machine.env["LISA_STATE_DIR"]) / "secrets"
    store.parent.mkdir(mode=0o700)
    store.write_text("{")
    assert machine.lisa("secret", "list", "--json").json["errorCode"] == "secret_store_read_failed"
    answer = machine.lisa("secret", "set", "--name", "x", "--json", stdin="v").json
    assert Path(answer["recovered"]).read_text() == "{"
