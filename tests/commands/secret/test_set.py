"""secret set."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost


def test_stores_a_secret_in_a_private_file(machine: LisaHost) -> None:
    answer = machine.lisa("secret", "set", "--name", "slack", "--json", stdin="val-123\n")
    assert answer.json["name"] == "slack" and answer.json["created"] is True and answer.json["scope"] == "user"
    assert "val-123" not in answer.out + answer.err
    store = Path(machine.env["LISA_STATE_DIR"]) / "secrets"
    assert stat.S_IMODE(store.stat().st_mode) == 0o600 and stat.S_IMODE(store.parent.stat().st_mode) == 0o700
    assert json.loads(store.read_text())["secrets"]["slack"]["value"] == "val-123"
    assert machine.lisa("secret", "set", "slack", stdin="val-456").out == "secret replaced: slack\n"
    assert machine.lisa("secret", "get", "slack").out == "val-456\n"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ('{"secret": "v-1"}', "v-1"),
        ('{"data": {"secret": "v-2"}, "usr_mtd": {"enabled": true}}\n', "v-2"),
        ('{"type": "service_account"}', '{"type": "service_account"}'),
        ("{not json}\r\n", "{not json}"),
        ("line 1\nline 2\n\n", "line 1\nline 2\n"),
    ],
)
def test_reads_plain_text_and_records(machine: LisaHost, given: str, stored: str) -> None:
    assert machine.lisa("secret", "set", "--key", "a/b", stdin=given).code == 0
    assert machine.lisa("secret", "get", "--name", "a/b", "--json").json["value"] == stored


def test_refuses_a_missing_or_broken_value(machine: LisaHost) -> None:
    for given in ("", "\n", '{"secret": ""}', '{"secret": 5}', '{"data": {"secret": null}, "secret": 1}', "a\0b"):
        answer = machine.lisa("secret", "set", "--name", "x", "--json", stdin=given)
        assert answer.json["errorCode"] == "invalid_secret", given
    for name in (" x", "a\nb", "n" * 257):
        assert machine.lisa("secret", "set", "--name", name, "--json", stdin="v").json["errorCode"] == (
            "invalid_secret_name"
        )
    assert not (Path(machine.env["LISA_STATE_DIR"]) / "secrets").exists()


def test_names_a_store_that_cannot_be_written(machine: LisaHost) -> None:
    answer = machine.lisa("secret", "set", "--name", "x", "--json", stdin="v", env={"LISA_STATE_DIR": "/dev/null/x"})
    assert (answer.code, answer.json["errorCode"]) == (1, "secret_store_write_failed")
