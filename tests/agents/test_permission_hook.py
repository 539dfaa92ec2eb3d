"""agents/_permission_hook: the calls that hooks ask about, and the answer of the waiting hook."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents._permission_hook import list_permission_calls
from lisa_py.agents.base import HookAnswer
from lisa_py.contract.dialogs import DialogQuestion, QuestionOption
from lisa_py.terminal.choices import ScreenChoice


def hook(name: str, **payload: Any) -> dict[str, Any]:
    return {"hook": name, "at": 1.5, **payload}


def shell(name: str, command: str, **more: Any) -> dict[str, Any]:
    return hook(name, tool_name="Bash", tool_input={"command": command}, **more)


def ids(*hooks: dict[str, Any]) -> list[str]:
    return [call.tool_use_id for call in list_permission_calls(hooks)]


def test_parallel_calls_are_matched_by_input() -> None:
    first, second = shell("PreToolUse", "b", tool_use_id="B"), shell("PreToolUse", "a", tool_use_id="A")
    assert ids(first, second, shell("PermissionRequest", "a"), shell("PermissionRequest", "b")) == ["A", "B"]


def test_same_calls_get_different_ids() -> None:
    calls = [shell("PreToolUse", "a", tool_use_id=name) for name in "XY"]
    assert ids(*calls, shell("PermissionRequest", "a"), shell("PermissionRequest", "a")) == ["X", "Y"]


def test_call_without_input_matches_a_single_call_of_its_tool() -> None:
    cut = hook("PermissionRequest", tool_name="Write", cut=True)
    assert ids(
        shell("PreToolUse", "a", tool_use_id="A"), hook("PreToolUse", tool_name="Write", tool_use_id="W"), cut
    ) == ["W"]
    assert ids(cut) == [""]


@pytest.mark.parametrize(
    "end",
    [
        shell("PostToolUse", "a", tool_use_id="A"),
        hook("PostToolUseFailure", tool_use_id="A"),
        hook("Stop"),
        hook("UserPromptSubmit"),
    ],
)
def test_ended_calls_have_no_open_dialog(end: dict[str, Any]) -> None:
    asked = (shell("PreToolUse", "a", tool_use_id="A"), shell("PermissionRequest", "a", dialog="key"))
    assert [call.key for call in list_permission_calls(asked)] == ["key"]
    assert ids(*asked, end) == []


def test_end_of_a_subagent_keeps_the_dialog_open() -> None:
    asked = (shell("PreToolUse", "a", tool_use_id="A"), shell("PermissionRequest", "a"))
    assert ids(*asked, hook("Stop", agent_id="h")) == ["A"]
    assert list_permission_calls(asked)[0].key == "1.500000"


def answer(given: Any = None, **fields: Any) -> Any:
    text = agents.get("claude").format_hook_answer(HookAnswer(**fields), given)
    assert "\n" not in text
    found = json.loads(text)["hookSpecificOutput"]
    assert found["hookEventName"] == "PermissionRequest"
    return found["decision"]


def test_answers_of_the_hook() -> None:
    assert answer() == {"behavior": "allow"}
    assert answer(denied=True, message="no\nway") == {"behavior": "deny", "message": "no\nway"}
    assert answer(denied=True)["message"] == "denied by the user"
    assert answer(updated_input={"command": "ls"}) == {"behavior": "allow", "updatedInput": {"command": "ls"}}
    given = {"questions": [1]}
    assert answer(given, answers={"Why?": "so"})["updatedInput"] == {"questions": [1], "answers": {"Why?": "so"}}
    rule = answer(patterns=("Bash(git status:*)", "Write"))["updatedPermissions"][0]
    assert rule["rules"] == [{"toolName": "Bash", "ruleContent": "git status:*"}, {"toolName": "Write"}]
    assert (rule["destination"], rule["behavior"]) == ("session", "allow")


@pytest.mark.parametrize(("agent", "tool"), [("claude", "AskUserQuestion"), ("codex", "request_user_input")])
def test_questions_of_a_tool_call(agent: str, tool: str) -> None:
    given = {
        "questions": [
            {"id": "c", "question": "Which?", "header": "H", "options": ["a", {"label": "b", "description": "B"}]},
            {"question": "Why?", "multiSelect": True, "options": []},
        ]
    }
    found = agents.get(agent).read_questions(tool, given)
    assert found == (
        DialogQuestion(
            question="Which?",
            header="H",
            options=(QuestionOption(label="a"), QuestionOption(label="b", description="B")),
        ),
        DialogQuestion(question="Why?", multi_select=True),
    )
    assert agents.get(agent).read_questions("Bash", given) == ()
    assert agents.get(agent).read_questions(tool, {"questions": 7}) == ()


def test_session_choice_differs_from_project_choice() -> None:
    def find(agent: str, *texts: str) -> int:
        choices = [ScreenChoice(number, text, selected=False) for number, text in enumerate(texts, 1)]
        found = agents.get(agent).find_session_choice(choices)
        return found.number if found is not None else 0

    assert find("claude", "Yes", "Yes, allow all edits during this session (shift+tab)", "No") == 2
    assert find("claude", "Yes", "Yes, and always allow access to /p from this project", "No") == 0
    assert find("claude", "Yes", "Yes, and don't ask again for 127.0.0.1", "No") == 0
    assert find("codex", "Yes, proceed (y)", "Yes, and don't ask again for commands that start with `x` (p)", "No") == 2
