"""Redact secrets and personal details."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.errors import UsageError
from lisa_py.core.redact import redact
from tests.core.redact import secret_corpus as corpus

SHORT = [
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
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE and the rest was cut", "b3Bl"),
    ("key is sk-ant-api03-abcdefghij1234567890", "sk-ant"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_"),
    ("AKIAIOSFODNN7EXAMPLE", "AKIA"),
    ("xoxb-123456789012-abcdefghij", "xoxb"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJ"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIza"),
]


@pytest.mark.parametrize(("text", "secret"), SHORT)
def test_short_secret_is_redacted(text: str, secret: str) -> None:
    assert secret not in redact.redact_secrets(text)
    assert "[REDACTED_" in redact.redact_secrets(text)


def test_corpus_is_large() -> None:
    assert len(set(corpus.SECRETS)) >= 250
    assert len({text for text, _ in (*corpus.EMAILS, *corpus.PATHS, *corpus.NUMBERS)}) >= 60


def leaks(text: str, secret: str) -> bool:
    """Return True if the secret, or a useful part of it, is in the text."""
    parts = (secret[at : at + 8] for at in range(max(1, len(secret) - 7)))
    return any(part in text for part in parts)


@pytest.mark.parametrize(("text", "secret"), corpus.SECRETS)
def test_corpus_is_redacted(text: str, secret: str) -> None:
    boxed = "\n".join("  │ " + line for line in text.split("\n"))
    for whole in (text, f"before\n{text}\nafter", boxed, f"2026-11-27T10:00:00Z INFO {text}", f"$ {text}"):
        shown = redact.redact_secrets(whole)
        assert not leaks(shown, secret), shown
        assert shown.count("\n") == whole.count("\n")


@pytest.mark.parametrize(("text", "secret"), corpus.SECRETS)
def test_corpus_is_redacted_inside_json(text: str, secret: str) -> None:
    packed = json.dumps({"content": text, "n": 1})
    shown = redact.redact_secrets(packed)
    assert not leaks(shown, secret), shown


CUTTABLE = ("sk-ant-", "ghp_", "github_pat_", "glpat-", "AKIA", "AIza", "npm_", "xoxb-", "eyJ", "hvs.", "sk_live_")


@pytest.mark.parametrize("head", CUTTABLE)
def test_truncated_token_is_matched_by_its_prefix(head: str) -> None:
    whole = next(text for text, _ in corpus.SECRETS if head in text)
    at = whole.index(head)
    for length in range(len(head) + 6, len(head) + 20):
        shown = redact.redact_secrets(whole[: at + length])
        assert shown.startswith(whole[:at] + "[REDACTED_") and whole[at + len(head) : at + length] not in shown


@pytest.mark.parametrize(
    ("rule", "text", "detail"),
    [(rule, *entry) for rule, entries in corpus.BY_RULE.items() for entry in entries],
)
def test_personal_details_of_the_corpus_are_redacted(rule: str, text: str, detail: str) -> None:
    assert detail not in redact.redact_text(text, (rule,)).text


@pytest.mark.parametrize("text", corpus.PLAIN)
def test_plain_text_is_unchanged(text: str) -> None:
    assert redact.redact_secrets(text) == text


@given(st.lists(st.sampled_from([text for text, _ in corpus.SECRETS] + corpus.PLAIN), min_size=1, max_size=8))
def test_adjacent_secrets_are_redacted_and_result_is_stable(texts: list[str]) -> None:
    whole = "\n\n".join(texts)
    once = redact.redact_secrets(whole)
    assert redact.redact_secrets(once) == once
    assert once.count("\n") == whole.count("\n")
    for text, secret in corpus.SECRETS:
        if text in texts:
            assert not leaks(once, secret)


@pytest.mark.parametrize("between", [" ", "\n\n"])
@pytest.mark.parametrize("assigned", ["=", "=>"])
def test_assignment_after_the_word_bearer_is_redacted(between: str, assigned: str) -> None:
    for word in ("bearer", "Bearer"):
        text = f"token_type={word}{between}api_key{assigned}'GNCONjBNLwm8YDzJXgTFSla80'"
        assert redact.redact_secrets(text) == text.replace("GNCONjBNLwm8YDzJXgTFSla80", "[REDACTED_SECRET]")
    assert redact.redact_secrets('"Bearer c2VjcmV0MTIz=="') == '"Bearer [REDACTED_TOKEN]"'


@given(st.text(max_size=400))
def test_any_text_is_accepted_and_keeps_its_lines(text: str) -> None:
    assert redact.redact_text(text, ("all",)).text.count("\n") == text.count("\n")


def test_json_stays_json() -> None:
    assert redact.redact_secrets('{"token": "zzz"}') == '{"token": "[REDACTED_SECRET]"}'


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
    assert redact.redact_text(text, ("paths",)).text == clean


def test_emails_and_numbers_are_counted() -> None:
    found = redact.redact_text("a@b.org c@d.org 123456 12345", ("emails", "numbers"))
    assert found.text == "[REDACTED_EMAIL] [REDACTED_EMAIL] [REDACTED_NUMBER] 12345"
    assert found.counts == {"emails": 2, "numbers": 1}


def test_all_selects_every_rule_and_none_no_rule() -> None:
    assert redact.redact_text("a@b.org", ("all",)).text == "[REDACTED_EMAIL]"
    assert redact.redact_text("a@b.org", ("none",)).text == "a@b.org"


@pytest.mark.parametrize("csv", ["bogus", "none,paths"])
def test_unknown_rules_and_none_with_others_are_refused(csv: str) -> None:
    with pytest.raises(UsageError) as raised:
        redact.parse_rules(csv)
    assert raised.value.code == "invalid_redact_rules"


def test_rules_are_lower_cased_without_repeats() -> None:
    assert redact.parse_rules(" Paths,emails,paths,") == ("paths", "emails")


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a.b-",
            "a@b.",
            "secret-",
            "--a",
            "token=",
            "<token>",
            'token \\"',
            "a:b@",
            "://",
            "curl -u a:",
            "[?&sig=",
            "/a",
        ),
        *(
            "login ",
            "echo ",
            "name: ",
            "api_key: |\n",
            "Private-Lines: 1\n",
            "AbCd0123/+Zz\n",
            "a:1:b:c:",
            "A1",
            " ",
            '"',
        ),
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_time_grows_linearly_with_text(unit: str) -> None:
    def cost(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.process_time()
        redact.redact_text(text, ("all",))
        return time.process_time() - began

    small = max(min(cost(10_000) for _ in range(3)), 0.001)
    assert cost(80_000) < 24 * small, "eight times the text: a square would be 64 times the time"
