"""oauth add."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lisa_host import LisaHost

ID = "oauth-29a48b8b013d"


def test_a_token_from_standard_input_is_added_once(machine: LisaHost) -> None:
    answer = machine.lisa("oauth", "add", "--stdin", "--json", stdin="tok-AAA\n")
    assert answer.json == {"added": True, "count": 1, "id": ID, "stderrPolicy": "diagnostic"}
    assert machine.lisa("oauth", "add", "--stdin", stdin="tok-AAA").out == f"oauth token already present: {ID}\n"
    assert machine.lisa("oauth", "add", "--stdin", stdin="tok-B").out.startswith("oauth token added: oauth-")


def test_token_on_the_command_line_gives_a_warning(machine: LisaHost) -> None:
    answer = machine.lisa("oauth", "add", "--token", "tok-AAA", "--json")
    assert answer.json["id"] == ID and "--stdin" in answer.err
    assert machine.lisa("oauth", "add", "--stdin", stdin="tok-AAA").err == ""


def test_token_of_two_words_gives_a_warning(machine: LisaHost) -> None:
    assert "white space" in machine.lisa("oauth", "add", "--stdin", stdin="tok\nen").err


def test_exactly_one_source_is_required(machine: LisaHost) -> None:
    def code(*words: str, stdin: str = "") -> str:
        return str(machine.lisa("oauth", "add", *words, "--json", stdin=stdin).json["errorCode"])

    assert code("--token", "x", "--stdin") == "invalid_oauth_input"
    assert code("--from-command", "echo x", "--stdin") == "invalid_oauth_input"
    assert code() == code("--stdin", stdin=" \n") == "missing_required_flag"
    assert machine.lisa("oauth", "add", "--token", "", "--stdin", stdin="x").code == 0


def test_adds_a_token_command(machine: LisaHost) -> None:
    assert machine.lisa("oauth", "add", "--from-command", "pass show x", "--label", "work").code == 0
    shown = machine.lisa("oauth", "list", "--json").json["tokens"][0]
    assert (shown["source"], shown["label"]) == ("command", "work")


def test_corrupt_pool_is_set_aside_and_reported(machine: LisaHost) -> None:
    pool = Path(machine.env["LISA_STATE_DIR"]) / "oauth_tokens.json"
    pool.parent.mkdir(mode=0o700)
    pool.write_text("[]]")
    answer = machine.lisa("oauth", "add", "--stdin", "--json", stdin="tok-AAA")
    assert answer.json["added"] and Path(answer.json["recovered"]).read_text() == "[]]"
    assert "corrupt" in answer.err and len(json.loads(pool.read_text())["tokens"]) == 1


def test_unwritable_pool_is_an_error(machine: LisaHost) -> None:
    answer = machine.lisa("oauth", "add", "--stdin", "--json", stdin="x", env={"LISA_STATE_DIR": "/dev/null/x"})
    assert (answer.code, answer.json["errorCode"]) == (1, "oauth_add_failed")
