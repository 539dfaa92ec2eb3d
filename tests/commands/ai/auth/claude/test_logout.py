"""ai auth claude logout: the stored key is removed."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost


def test_the_stored_key_is_removed(machine: LisaHost) -> None:
    machine.lisa("ai", "auth", "claude", "set-key", "--key-from-stdin", stdin="sk-ant-planted")
    for message in ("key removed", "no key was stored"):
        ended = machine.lisa("ai", "auth", "claude", "logout")
        assert json.loads(ended.out) == {"success": True, "message": message}
