"""contract/arguments: library calls refuse what the command line refuses, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lisa_py import Lisa, LisaError, Session
from tests.lisa_host import LisaHost

REFUSED: dict[str, tuple[Callable[[Lisa, Any], object], str, str]] = {
    "when": (lambda _, each: each.queue("x", when="idel"), "invalid_when", "when: idel (expected now|idle|turn-end)"),
    "expiry": (
        lambda _, each: each.queue("x", expire_seconds=-3),
        "invalid_expire_seconds",
        "-3 (expected a number >= 1)",
    ),
    "source": (lambda _, each: each.capture(source="screeen"), "invalid_source", "(expected auto|transcript|pane)"),
    "lines": (lambda _, each: each.capture(lines=-4), "invalid_lines", "lines: -4 (expected a number >= 1)"),
    "lines as text": (lambda _, each: each.capture(lines="4"), "invalid_lines", "(expected a whole number or None)"),
    "offset": (lambda _, each: each.handoff(since=-4), "invalid_delta_from", "since: -4 (expected a number >= 0)"),
    "path": (lambda _, each: each.capture(source="pane", cursor_file="\0"), "invalid_cursor_file", "is no path"),
    "markers": (lambda _, each: each.capture(markers="one"), "invalid_markers", "one (expected a list of texts)"),
    "state": (lambda _, each: each.wait(until="idel"), "invalid_until_state", "until: idel (expected just_started|"),
    "timeout": (lambda _, each: each.wait(-3), "invalid_timeout_seconds", "timeout: -3 (expected a number >= 0)"),
    "no number": (lambda _, each: each.wait(float("nan")), "invalid_timeout_seconds", "nan (expected a number >= 0)"),
    "interval": (lambda _, each: each.monitor(every=-1), "invalid_poll_interval", "every: -1 (expected a number >= 0)"),
    "reply": (
        lambda _, each: each.ask("x", timeout_seconds=-3),
        "invalid_timeout_seconds",
        "-3 (expected a number >= 0)",
    ),
    "nothing": (lambda _, each: each.send(None), "invalid_text", "text: None (expected a text)"),
    "switch": (lambda _, each: each.send("x", enter="no"), "invalid_enter", "enter: no (expected True or False)"),
    "key": (lambda _, each: each.keys("C-c", None), "invalid_keys", "names: None (expected a text)"),
    "grouping": (lambda lisa, _: lisa.usage("modle"), "invalid_by", "(expected session|lane|model|day|project)"),  # type: ignore[arg-type]
    "hours": (lambda lisa, _: lisa.usage(hours=-3), "invalid_hours", "hours: -3 (expected a number >= 0"),
    "kind": (lambda lisa, _: lisa.watch("zz"), "invalid_on", "kinds: zz (expected asks|"),  # type: ignore[arg-type]
    "mode": (lambda lisa, _: lisa.spawn("x", mode="zz"), "invalid_mode", "(expected interactive|exec)"),  # type: ignore[arg-type]
    "width": (lambda lisa, _: lisa.spawn("x", width=0), "invalid_width", "(expected a number >= 1 and <= 10000)"),
    "worktree": (lambda lisa, _: lisa.spawn("x", worktree=3), "invalid_worktree", "True or False or a WorktreeRequest"),  # type: ignore[arg-type]
}


@pytest.fixture
def session(machine: LisaHost) -> Session:
    return Lisa(str(machine.project), environ=machine.env).session("lisa-absent")


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_argument_is_refused(machine: LisaHost, session: Session, case: str) -> None:
    call, code, text = REFUSED[case]
    with pytest.raises(LisaError) as raised:
        call(Lisa(str(machine.project), environ=machine.env), session)
    assert (raised.value.code, text in str(raised.value)) == (code, True)


def test_defaults_and_other_spellings_are_accepted(session: Session) -> None:
    for call in (
        lambda: session.queue("x", expire_seconds=0),
        lambda: session.queue(text="x", when="turn-end", expire_seconds=5),
        lambda: session.capture(source="pane", lines=1, markers=("one",)),
    ):
        with pytest.raises(LisaError) as raised:
            call()
        assert raised.value.code == "session_not_found"
    assert session.wait(0.5, until="completed").final_state == "not_found"
