"""Redaction of a whole answer."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.core.redact.redactor import Mask


class Word(Struct):
    session: str
    text: str
    many: tuple[str, ...]


def test_texts_of_a_record_are_masked_and_names_kept() -> None:
    mask = Mask("all")
    found = mask.mask_record(Word("lisa-123456789", "password=hunter22", ("a@b.org", "/etc/passwd")))
    assert found == Word("lisa-123456789", "password=[REDACTED_SECRET]", ("[REDACTED_EMAIL]", "[REDACTED_PATH]"))
    assert mask.counts == {"secrets": 1, "emails": 1, "paths": 1}


def test_multi_line_key_is_masked_as_one() -> None:
    key = ("-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBg", "-----END PRIVATE KEY-----", "after")
    assert Mask("secrets").mask_lines(key) == ("[REDACTED_SECRET]", "", "", "after")


def test_text_is_unchanged_without_rules_or_with_none() -> None:
    word = Word("lisa-a", "password=hunter22", ())
    for csv in ("", " ", "none"):
        mask = Mask(csv)
        assert (mask.mask_record(word), mask.is_active) == (word, False)
