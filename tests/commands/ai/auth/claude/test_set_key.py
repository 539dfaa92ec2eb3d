"""ai auth claude set-key: an API key from a flag or standard input."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost

WORDS = ("ai", "auth", "claude", "set-key")


def test_a_key_is_stored(machine: LisaHost) -> None:
    stored = machine.lisa(*WORDS, "--key-from-stdin", stdin="sk-ant-planted\n")
    assert json.loads(stored.out) == {"success": True, "message": "credential stored"}
    assert json.loads(machine.lisa(*WORDS, "--key", "hive://secret/k").out)["message"] == "credential replaced"
    found = json.loads(machine.lisa("ai", "auth", "claude", "status").out)
    assert (found["has_credentials"], found["credential_type"]) == (True, "apikey")


def test_one_source_is_needed(machine: LisaHost) -> None:
    for wrong in ((), ("--key", "x", "--key-from-stdin"), ("--key", "")):
        refused = machine.lisa(*WORDS, *wrong)
        assert refused.code == 1 and refused.err.startswith("Error: "), wrong
