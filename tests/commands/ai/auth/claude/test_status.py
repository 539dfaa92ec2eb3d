"""ai auth claude status: the credential of chats."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost


def test_missing_credential_is_an_answer(machine: LisaHost) -> None:
    found = machine.lisa("ai", "auth", "claude", "status")
    assert (found.code, json.loads(found.out)) == (
        0,
        {"has_credentials": False, "credential_type": None, "created_at": None},
    )
