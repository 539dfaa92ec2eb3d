"""Nothing that opens a door is handed on."""

from __future__ import annotations

import time

import pytest

from lisa_py.contract.errors import UsageError
from lisa_py.core.relay import redact

SECRETS = [
    ("OPENAI_API_KEY=sk-abc123", "sk-abc123"),
    ('export AWS_SECRET_ACCESS_KEY="wJalr/XUtn"', "wJalr"),
    ('{"token": "zzz", "n": 1}', "zzz"),
    ('{\\"api_key\\": \\"abc9\\"}', "abc9"),
    ('secret="a b"', "a b"),
    ("password: hunter2", "hunter2"),
    ("db_passwd := 'x y z'", "x y z"),
    ("postgres://me:pw9@db/x", "pw9"),
    ("https://u:ghs_0@github.com/a.git", "ghs_0"),
    ("Authorization: Bearer abcdefgh123", "abcdefgh123"),
    ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("Cookie: sid=abc; x=y", "abc"),
    ("Bearer short", "short"),
    ("run --token abc123 now", "abc123"),
    ('run --db-password "x y"', "x y"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl and the rest was cut", "b3Bl"),
    ("key is sk-ant-api03-abcdefghij1234567890", "sk-ant"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_"),
    ("AKIAIOSFODNN7EXAMPLE", "AKIA"),
    ("xoxb-123456789012-abcdefghij", "xoxb"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJ"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIza"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_does_not_get_through(text: str, secret: str) -> None:
    assert secret not in redact.secrets(text)
    assert "[REDACTED_" in redact.secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "tokens used\n19,732",
        '{"maxTokens": 4000, "tokenBudget": 320}',
        "token budget: 320",
        "author: Jane",
        "authentication failed: wrong word",
        "def f(token: str) -> None",
        "token=$TOKEN",
        "passwords: are hashed",
        "the bearer of news",
        "key: value",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact.secrets(text) == text


def test_json_stays_json() -> None:
    assert redact.secrets('{"token": "zzz"}') == '{"token": "[REDACTED_SECRET]"}'


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see:/opt/x", "see:[REDACTED_PATH]"),
        ("(/opt/y)", "([REDACTED_PATH])"),
        ("~/secret.txt", "[REDACTED_PATH]"),
        ("x\n/etc/passwd line", "x\n[REDACTED_PATH] line"),
        ("C:\\Users\\bob", "[REDACTED_PATH]"),
        ("https://host/path and/or 1/2", "https://host/path and/or 1/2"),
    ],
)
def test_paths(text: str, clean: str) -> None:
    assert redact.redact(text, ("paths",)).text == clean


def test_emails_and_numbers_and_how_often() -> None:
    found = redact.redact("a@b.org c@d.org 123456 12345", ("emails", "numbers"))
    assert found.text == "[REDACTED_EMAIL] [REDACTED_EMAIL] [REDACTED_NUMBER] 12345"
    assert found.counts == {"emails": 2, "numbers": 1}


def test_all_means_every_rule_and_none_means_nothing() -> None:
    assert redact.redact("a@b.org", ("all",)).text == "[REDACTED_EMAIL]"
    assert redact.redact("a@b.org", ("none",)).text == "a@b.org"


@pytest.mark.parametrize("csv", ["bogus", "none,paths"])
def test_unknown_rules_and_none_with_others_are_refused(csv: str) -> None:
    with pytest.raises(UsageError) as raised:
        redact.rules(csv)
    assert raised.value.code == "invalid_redact_rules"


def test_rules_are_read_once_each_in_lower_case() -> None:
    assert redact.rules(" Paths,emails,paths,") == ("paths", "emails")


@pytest.mark.parametrize("unit", ["a.b-", "a@b.", "secret-", "--a", "token=", "a:b@", "-----BEGIN PRIVATE KEY-----"])
def test_no_text_takes_unduly_long(unit: str) -> None:
    began = time.perf_counter()
    redact.redact(unit * (100_000 // len(unit)), ("all",))
    assert time.perf_counter() - began < 3
