"""oauth list."""

from __future__ import annotations

from pathlib import Path

from tests.lisa_host import LisaHost


def test_empty_pool_is_reported(machine: LisaHost) -> None:
    assert machine.lisa("oauth", "list").out == "no oauth tokens configured\n"
    assert machine.lisa("oauth", "list", "--json").json == {"count": 0, "stderrPolicy": "diagnostic", "tokens": []}
    assert not Path(machine.env["LISA_STATE_DIR"]).exists()


def test_tokens_are_listed_by_id_and_never_shown(machine: LisaHost) -> None:
    for word in ("tok-AAA", "tok-BBB"):
        machine.lisa("oauth", "add", "--stdin", stdin=word)
    answer = machine.lisa("oauth", "list", "--json")
    assert [sorted(token) for token in answer.json["tokens"]] == [["addedAt", "id", "next"]] * 2
    assert [token["next"] for token in answer.json["tokens"]] == [True, False]
    rows = machine.lisa("oauth", "list").out.splitlines()
    assert rows[0].split(",")[0::4] == ["oauth-29a48b8b013d", "next"] and rows[1].endswith(",,0,")
    assert "tok-" not in answer.out + "".join(rows)


def test_corrupt_pool_is_reported_and_kept(machine: LisaHost) -> None:
    pool = Path(machine.env["LISA_STATE_DIR"]) / "oauth_tokens.json"
    pool.parent.mkdir(mode=0o700)
    pool.write_text("{")
    answer = machine.lisa("oauth", "list", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "oauth_list_failed")
    assert [path.name for path in pool.parent.iterdir()] == ["oauth_tokens.json"]
