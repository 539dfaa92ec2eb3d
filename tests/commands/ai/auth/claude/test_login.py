"""ai auth claude login: the address and the code are relayed, the token goes to the pool."""

from __future__ import annotations

import json

from tests.commands.auth.claude.test_login import CLAUDE_LIKE
from tests.lisa_host import LisaHost


def test_the_token_is_stored(machine: LisaHost) -> None:
    machine.add_program("claude", CLAUDE_LIKE)
    done = machine.lisa("ai", "auth", "claude", "login", "--output", "jsonl", stdin="good#state\n", check_schema=False)
    assert done.code == 0, done
    *lines, last = done.out.splitlines()
    assert lines[1].startswith("  https://claude.ai/oauth/authorize")
    assert json.loads(last)["success"] is True and "planted" not in done.out + done.err
    assert json.loads(machine.lisa("ai", "auth", "claude", "status").out)["credential_type"] == "oauth_token"
