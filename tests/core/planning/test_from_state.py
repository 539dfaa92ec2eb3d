"""core/planning/from_state and core/advice/command_ast: continue from the JSON of another command."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from lisa_py.core.advice import command_ast
from lisa_py.core.inputs import InputError
from lisa_py.core.planning import from_state
from lisa_py.core.planning.from_state import StrictStateError

AST = {
    "schema": "lisa.command.ast.v1",
    "binary": "./lisa",
    "subcommands": ["session", "send"],
    "args": [
        {"name": "session", "flag": "--session", "type": "string", "value": "lisa-a"},
        {"name": "text", "flag": "--text", "type": "string", "value": "go on"},
        {"name": "enter", "flag": "--enter", "type": "bool", "value": True},
        {"name": "events", "type": "int", "value": 40},
        {"name": "off", "flag": "--off", "type": "bool", "value": False},
    ],
}
GOOD = {"session": "lisa-a", "sessionState": "waiting_input", "reason": "x", "nextAction": {"name": "session send"}}


def test_status_and_handoff_are_accepted() -> None:
    status = from_state.parse_state(
        {"session": " lisa-a ", "sessionState": "crashed", "classificationReason": "exit_1"}
    )
    assert (status.session, status.status, status.reason, status.next_action) == ("lisa-a", "crashed", "exit_1", UNSET)
    handoff = from_state.parse_state(
        {**GOOD, "status": "idle", "nextAction": {"name": " session send ", "commandAst": AST}}
    )
    assert (handoff.status, handoff.next_action) == ("idle", {"name": "session send", "commandAst": AST})


def test_lenient_reading_converts_other_types_to_text() -> None:
    state = from_state.parse_state({"session": 5, "sessionState": None, "reason": ["a"], "nextAction": 7})
    assert (state.session, state.session_state, state.reason, state.next_action) == ("5", "", '["a"]', "7")


@pytest.mark.parametrize("payload", [[], "x", None, {}, {"status": "idle"}, {"session": " ", "nextAction": {}}])
def test_input_without_a_session_is_refused(payload: Any) -> None:
    with pytest.raises(InputError):
        from_state.parse_state(payload)


def test_prompt_holds_known_fields_only() -> None:
    action = {"name": "session send", "commandAst": AST}
    assert from_state.build_prompt(from_state.parse_state({**GOOD, "nextAction": action})).splitlines() == [
        "Continue orchestration from existing state context.",
        "Session: lisa-a",
        "State: waiting_input",
        "Reason: x",
        "Recommended next action: session send",
        "Recommended command: ./lisa session send --session lisa-a --text 'go on' --enter --events 40",
        "Return concrete next steps.",
    ]
    assert from_state.build_prompt(
        from_state.parse_state({"session": "lisa-a", "nextAction": "look"})
    ).splitlines() == [
        "Continue orchestration from existing state context.",
        "Session: lisa-a",
        "Recommended next action: look",
        "Return concrete next steps.",
    ]


def test_unnamed_action_is_named_by_its_command() -> None:
    lines = from_state.build_prompt(
        from_state.parse_state({**GOOD, "nextAction": {"command": "lisa version"}})
    ).splitlines()
    assert "Recommended next action: lisa version" in lines
    assert not any(line.startswith("Recommended command") for line in lines)
    lines = from_state.build_prompt(from_state.parse_state({**GOOD, "nextAction": {"commandAst": AST}})).splitlines()
    assert "Recommended next action: session send" in lines


def _ast(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "nextAction": {"name": "n", "commandAst": {**AST, **changes}}}


def _arg(**fields: Any) -> dict[str, Any]:
    return _ast(args=[fields])


STRICT: list[tuple[Any, str]] = [
    ([], "not_object"),
    ({"sessionState": "x"}, "missing_session"),
    ({**GOOD, "session": 5}, "invalid_session_type"),
    ({**GOOD, "session": " "}, "empty_session"),
    ({**GOOD, "status": 5}, "invalid_status_type"),
    ({**GOOD, "sessionState": None}, "invalid_sessionState_type"),
    ({**GOOD, "reason": []}, "invalid_reason_type"),
    ({**GOOD, "classificationReason": {}}, "invalid_classificationReason_type"),
    ({"session": "lisa-a", "sessionState": " "}, "missing_state"),
    ({**GOOD, "nextAction": " "}, "empty_next_action"),
    ({**GOOD, "nextAction": 5}, "invalid_next_action_type"),
    ({**GOOD, "nextAction": {"id": "hid-1"}}, "invalid_next_action_object"),
    ({**GOOD, "nextAction": {"name": 5}}, "invalid_next_action_name_type"),
    ({**GOOD, "nextAction": {"name": ""}}, "empty_next_action_name"),
    ({**GOOD, "nextAction": {"command": 5}}, "invalid_next_action_command_type"),
    ({**GOOD, "nextAction": {"command": ""}}, "empty_next_action_command"),
    ({**GOOD, "nextAction": {"commandAst": []}}, "invalid_next_action_command_ast_type"),
    (_ast(schema=1), "invalid_schema_type"),
    (_ast(binary=1), "invalid_binary_type"),
    (_ast(subcommands=[]), "invalid_next_action_command_ast_subcommands"),
    (_ast(subcommands=["a", 1]), "invalid_next_action_command_ast_subcommands"),
    (
        {**GOOD, "nextAction": {"commandAst": {"subcommands": ["session"]}}},
        "missing_next_action_command_ast_args",
    ),
    (_ast(args="x"), "invalid_next_action_command_ast_args_type"),
    (_arg(type="int", value=1), "missing_next_action_command_ast_arg_name"),
    (_ast(args=["x"]), "missing_next_action_command_ast_arg_name"),
    (_arg(name=" ", type="int", value=1), "invalid_next_action_command_ast_arg_name"),
    (_arg(name="a", value=1), "missing_next_action_command_ast_arg_type"),
    (_arg(name="a", type="date", value=1), "invalid_next_action_command_ast_arg_type_name"),
    (_arg(name="a", type="int"), "missing_next_action_command_ast_arg_value"),
    (_arg(name="a", type="int", value=1.5), "invalid_next_action_command_ast_arg_value"),
    (_arg(name="a", type="int", value=True), "invalid_next_action_command_ast_arg_value"),
    (_ast(args={"a": {"type": "bool", "value": "true"}}), "invalid_next_action_command_ast_arg_value"),
]


@pytest.mark.parametrize(("payload", "code"), STRICT)
def test_strict_reading_names_the_first_error(payload: Any, code: str) -> None:
    with pytest.raises(StrictStateError) as refused:
        from_state.parse_state(payload, strict=True)
    assert refused.value.code == f"from_state_{code}"


@pytest.mark.parametrize("args", [AST["args"], {"text": "go on", "events": {"value": 4.0}, "raw": True}, []])
def test_strict_reading_accepts_lists_and_maps_of_arguments(args: Any) -> None:
    assert from_state.parse_state(_ast(args=args), strict=True).session == "lisa-a"


def test_wrong_value_is_reported_with_its_path() -> None:
    with pytest.raises(StrictStateError, match=r'nextAction\.commandAst\.args\[0\]\.value does not match type "int"'):
        from_state.parse_state(_arg(name="a", type="int", value="1"), strict=True)


def test_argument_map_is_written_in_order() -> None:
    tree = {"subcommands": ["session", "next"], "args": {"budget": 3, "session": {"flag": "--for", "value": "it's"}}}
    assert command_ast.format_command(tree) == "lisa session next --budget 3 --for 'it'\"'\"'s'"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["session", "sessionState", "reason", "nextAction", "name", "command", "commandAst", "args",
                         "subcommands", "binary", "type", "value", "flag"]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(JSON, st.booleans())
def test_any_json_is_accepted_or_refused(payload: Any, strict: bool) -> None:
    try:
        state = from_state.parse_state(payload, strict=strict)
    except (InputError, StrictStateError):
        return
    assert from_state.build_prompt(state).endswith("Return concrete next steps.")
