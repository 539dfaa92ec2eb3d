"""Records of the Program Status Protocol."""

from __future__ import annotations

import base64
import re

from lisa_py.terminal.program_status import ProgramRecord, build_sequence, make_word


def read(sequence: str) -> dict[str, str]:
    """Return the pairs of a sequence, decoded."""
    body = re.fullmatch(r"\x1b\]7501;([!-~]*)\x1b\\", sequence)
    assert body is not None, sequence
    pairs = dict(pair.split("=", 1) for pair in body[1].split(":"))
    return {key: base64.b64decode(value).decode() if key in ("title", "msg") else value for key, value in pairs.items()}


def test_a_record_has_its_pairs() -> None:
    record = ProgramRecord(
        status="blocked", record_id="p/lisa-a", kind="permission", app="claude", title="lisa-a", message="shell: ls"
    )
    assert read(build_sequence(record, in_tmux=False)) == {
        "state": "blocked",
        "id": "p/lisa-a",
        "kind": "permission",
        "app": "claude",
        "title": "lisa-a",
        "msg": "shell: ls",
    }
    assert build_sequence(ProgramRecord(status="idle"), in_tmux=False) == "\x1b]7501;state=idle\x1b\\"


def test_an_unknown_state_removes_the_record() -> None:
    record = ProgramRecord(status="unknown", record_id="lisa-a", app="claude", message="x")
    assert build_sequence(record, in_tmux=False) == "\x1b]7501;state=clear:id=lisa-a\x1b\\"


def test_inside_tmux_the_sequence_is_wrapped() -> None:
    made = build_sequence(ProgramRecord(status="done"), in_tmux=True)
    assert made == "\x1bPtmux;\x1b\x1b]7501;state=done\x1b\x1b\\\x1b\\"


def test_texts_lose_controls_and_stay_within_limits() -> None:
    hostile = "a\x1b]0;x\ab\n\x9b31m\u202ec\u200bd"
    pairs = read(build_sequence(ProgramRecord(status="idle", title=hostile, message="ä" * 3000), in_tmux=False))
    assert pairs["title"] == "ab 31m c d"
    assert pairs["msg"] == "ä" * 1024
    assert read(build_sequence(ProgramRecord(status="idle", title="x" + "€" * 99), in_tmux=False))["title"] == "x" + (
        "€" * 63
    )
    assert len(build_sequence(ProgramRecord(status="idle", title="€" * 999, message="€" * 999), in_tmux=True)) < 4096


def test_words_are_short_and_distinct() -> None:
    assert make_word("lisa-a_1") == "lisa-a_1"
    made = [make_word(text) for text in ("/srv/a b", "/srv/a/b", "", "x" * 33, "x" * 34)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]{1,32}", word) for word in made), made
