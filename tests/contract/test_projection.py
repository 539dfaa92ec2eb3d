"""Tests of copies and short forms of structs."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import projection
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command


class Flags(Struct, kw_only=True):
    lines: int = 5
    agent: str = "auto"
    verbose: bool = True


class Request(Struct, kw_only=True):
    lines: int
    agent: str
    quiet: bool = False


class Report(Answer):
    session_state: str
    error_code: str | UnsetType = UNSET


def test_copy_fields_prefers_given_values_and_keeps_defaults() -> None:
    assert projection.copy_fields(Flags(), Request, agent="x") == Request(lines=5, agent="x", quiet=False)


def test_omit_unsets_only_fields_of_the_class() -> None:
    answer = Report(session_state="idle", error_code="e")
    assert msgspec.to_builtins(projection.omit(answer, "error_code", "pack")) == {"sessionState": "idle"}


def test_minimize_keeps_the_named_fields_that_are_set() -> None:
    command = Command(
        group="programs", args=Flags, answer=Report, run=lambda args, ctx: None, min=("session_state", "error_code")
    )
    assert projection.minimize(command, Report(session_state="idle"), None) == {"sessionState": "idle"}
