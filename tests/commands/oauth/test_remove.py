"""oauth remove."""

from __future__ import annotations

from tests.lisa_host import LisaHost

ID = "oauth-29a48b8b013d"


def test_token_is_deleted(machine: LisaHost) -> None:
    machine.lisa("oauth", "add", "--stdin", stdin="tok-AAA")
    assert machine.lisa("oauth", "remove", "--id", ID, "--json").json == {
        "id": ID,
        "removed": True,
        "stderrPolicy": "diagnostic",
    }
    assert machine.lisa("oauth", "list", "--json").json["count"] == 0


def test_an_unknown_id_is_refused(machine: LisaHost) -> None:
    answer = machine.lisa("oauth", "remove", "--id", "oauth-no", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "oauth_token_not_found")
    assert machine.lisa("oauth", "remove", "--json").json["errorCode"] == "missing_required_flag"


def test_the_last_token_leaves_an_empty_pool(machine: LisaHost) -> None:
    machine.lisa("oauth", "add", "--stdin", stdin="tok-AAA")
    assert machine.lisa("oauth", "remove", "--id", ID).out == f"oauth token removed: {ID}\n"
    assert machine.lisa("oauth", "remove", "--id", ID).code == 1
