"""Separating output from echoed input in plain text."""

from __future__ import annotations

import pytest

from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.core.context import Context
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.wait.marker import MarkerSearch
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef
from tests.core.status import status_cases
from tests.lisa_host import LisaHost


class FixedTextSearch(MarkerSearch):
    """A search whose pane shows a given text."""

    text = ""

    def _read_new_text(self, pane: Pane) -> str:
        return self.text


def found(machine: LisaHost, text: str, marker: str, *, prompt: str = "", sent: str = "") -> bool:
    ctx: Context = machine.context()
    search = FixedTextSearch(ctx, SessionRef(ctx.project(), "lisa-x"), marker)
    search.text = text
    evidence = Evidence(
        session="lisa-x",
        meta=SessionMeta(session="lisa-x", prompt=prompt, custom_command=True),
        state=SessionState(last_input_text=sent),
        pane=status_cases.pane(),
    )
    return search.is_found(evidence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> say DONE\n", False),
        ("> say DONE\nDONE\n", True),
        ("❯ say\n  DONE\n", False),
        ("│ > say DO │\n│   NE     │\n", False),
        ("> say DONE\n\n● I will say something\n", False),
        ("> say DONE\n● DONE\n> say DONE\n", False),
        ("DONE\n> say DONE\nworking\n", False),
        ("y DONE\n● thinking about it\n", True),
        ("user@host:~$ say DONE\n", False),
        ("user@host:~$ say DONE\nDONE\n", True),
    ],
)
def test_echo_is_not_output(machine: LisaHost, text: str, expected: bool) -> None:
    assert found(machine, text, "DONE", sent="say DONE") == expected


def test_partly_scrolled_out_echo_is_masked(machine: LisaHost) -> None:
    long_prompt = "read all the files and when you are through print the word DONE and nothing else"
    assert not found(machine, "print the word DONE and nothing else\nworking\n", "DONE", prompt=long_prompt)
    assert found(machine, "print the word DONE and nothing else\nDONE\n", "DONE", prompt=long_prompt)


def test_without_any_input_all_output_counts(machine: LisaHost) -> None:
    assert found(machine, "one\nDONE\n", "DONE")
    assert not found(machine, "one\ntwo\n", "DONE")


def test_echoes_of_first_prompt_and_last_input_are_masked(machine: LisaHost) -> None:
    text = "> say DONE at once\nno\n> please say DONE\nworking"
    assert not found(machine, text, "DONE", prompt="say DONE at once", sent="please say DONE")


def test_input_equal_to_the_marker_is_masked_once(machine: LisaHost) -> None:
    assert not found(machine, "$ DONE\n", "DONE", sent="DONE")
    assert found(machine, "$ DONE\nDONE: command not found\n", "DONE", sent="DONE")
