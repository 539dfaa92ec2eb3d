"""Schemas made from the structs of the answers."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import schema
from lisa_py.contract.command import Command


class Args(Struct):
    pass


class Part(Struct, rename="camel"):
    some_key: int


class Other(Struct):
    words: str


class Answer(Struct, rename="camel"):
    part_one: Part
    either: Part | Other
    maybe: str | UnsetType = UNSET
    count: int = 0


class Sparse(Struct, omit_defaults=True):
    name: str
    count: int = 0


def command(answer: Any = Answer, **more: Any) -> Command:
    return Command(group="programs", args=Args, answer=answer, run=print, **more)


def valid(described: schema.Schema | None, value: object) -> bool:
    assert described is not None
    jsonschema.Draft202012Validator.check_schema(described)
    return bool(jsonschema.Draft202012Validator(described).is_valid(value))


WHOLE = {"partOne": {"someKey": 1}, "either": {"words": "x"}, "count": 0, "stderrPolicy": "diagnostic"}


def test_schema_of_union_fields_and_required_fields() -> None:
    described = schema.answer_schema(command())
    assert valid(described, WHOLE)
    assert valid(described, {**WHOLE, "maybe": "x", "either": {"someKey": 3}})
    for key in WHOLE:
        assert not valid(described, {other: value for other, value in WHOLE.items() if other != key})
    assert not valid(described, {**WHOLE, "either": {"someKey": "no number"}})


def test_fields_omitted_at_default_are_not_required() -> None:
    assert schema.answer_schema(command(Sparse))["required"] == ["name", "stderrPolicy"]


def test_schema_of_alternative_answers() -> None:
    described = schema.answer_schema(command(Part | Other))
    assert valid(described, {"someKey": 1, "stderrPolicy": "diagnostic"})
    assert valid(described, {"words": "", "stderrPolicy": "diagnostic"})
    assert not valid(described, {"stderrPolicy": "diagnostic"})


def test_min_schema_follows_fields_or_return_type() -> None:
    def small(answer: Answer, args: Args) -> Other:
        return Other("x")

    def loose(answer: Answer, args: Args) -> dict[str, Any]:
        return {}

    named = schema.min_schema(command(min=("part_one", "maybe")))
    assert valid(named, {"partOne": {"someKey": 1}, "stderrPolicy": "diagnostic"})
    assert not valid(named, {"stderrPolicy": "diagnostic"})
    assert valid(schema.min_schema(command(min=small)), {"words": "x", "stderrPolicy": "diagnostic"})
    assert set((schema.min_schema(command(min=loose)) or {})["properties"]) == {*WHOLE, "maybe"}
    assert schema.min_schema(command()) is None


def test_events_may_be_of_several_kinds() -> None:
    assert schema.event_schema(command()) is None
    for kinds in ((Part, Other), Part | Other):
        described = schema.event_schema(command(events=kinds))
        assert valid(described, {"someKey": 1, "stderrPolicy": "diagnostic"})
        assert valid(described, {"words": "x", "stderrPolicy": "diagnostic"})


@pytest.mark.parametrize(("code", "fine"), [("unknown_flag", True), ("my_own", True), ("made_up", False)])
def test_failure_has_a_declared_code(code: str, fine: bool) -> None:
    value = {"ok": False, "errorCode": code, "error": "words", "stderrPolicy": "diagnostic", "more": 1}
    assert valid(schema.failure_schema({"my_own": "what it means"}), value) == fine
