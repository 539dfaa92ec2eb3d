"""oauth disable."""

from __future__ import annotations

from tests.lisa_host import LisaHost

ID = "oauth-29a48b8b013d"


def test_disabled_token_is_kept_but_not_used(machine: LisaHost) -> None:
    machine.lisa("oauth", "add", "--stdin", stdin="tok-AAA")
    assert machine.lisa("oauth", "disable", "--id", ID).out == f"oauth token disabled: {ID}\n"
    token = machine.lisa("oauth", "list", "--json").json["tokens"][0]
    assert (token["disabled"], token["disabledReason"], token["next"]) == (True, "by_hand", False)
    assert machine.lisa("oauth", "list").out.endswith(",disabled\n")


def test_an_unknown_id_is_refused(machine: LisaHost) -> None:
    assert machine.lisa("oauth", "disable", "--id", "x", "--json").json["errorCode"] == "oauth_token_not_found"
