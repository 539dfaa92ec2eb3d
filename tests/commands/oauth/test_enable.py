"""oauth enable."""

from __future__ import annotations

from lisa_py.host.env import read_settings
from lisa_py.store import oauth_tokens
from tests.lisa_host import LisaHost

ID = "oauth-29a48b8b013d"


def test_enabled_token_is_used_again(machine: LisaHost) -> None:
    machine.lisa("oauth", "add", "--stdin", stdin="tok-AAA")
    assert oauth_tokens.quarantine(read_settings(machine.env), 1.0, ID, "expired_token")
    assert machine.lisa("oauth", "list", "--json").json["tokens"][0]["disabledReason"] == "expired_token"
    assert machine.lisa("oauth", "enable", "--id", ID, "--json").json["enabled"] is True
    token = machine.lisa("oauth", "list", "--json").json["tokens"][0]
    assert token["next"] is True and "disabled" not in token
    assert token["lastFailureReason"] == "expired_token"


def test_an_unknown_id_is_refused(machine: LisaHost) -> None:
    assert machine.lisa("oauth", "enable", "--id", "x", "--json").json["errorCode"] == "oauth_token_not_found"
