"""Run every recipe of the skill with the scripted agent and compare its result."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.house.sources import TREE
from tests.lisa_host import LisaHost

PAGE = TREE / "skills" / "lisa" / "data" / "recipes.md"
MAIN = TREE / "skills" / "lisa" / "SKILL.md"
CHILD = "lisa session spawn --session lisa-child --agent scripted --prompt hi"
WORDS = {
    "List the public functions of src/api.py": "[say two functions] go",
    "Review the last commit. Change nothing.": "[say looking] [run echo x] [say two findings] go",
    "Explain the second finding": "[say it is the second] go",
    "Now fix the first finding": "[say fixed] go",
    "Create notes.txt": "[ask touch notes.txt] [say so be it] go",
    "Review $part/. Change nothing.": "[say $part is fine] go",
    "Review api/. Change nothing.": "[say the port is wrong, key sk-ant-api03-" + "aB3" * 30 + "] go",
    "Fix what this review found. It": "[say port fixed] Fix what this review found. It",
    "Use lisa (its skill is installed) to start two reviewers": f"[run {CHILD}] [say started] go",
    "Run the whole test suite": "[wait 600] [say never] go",
}
"""Prompts of the recipes, and what the scripted agent is asked instead."""


def blocks(text: str) -> dict[str, str]:
    return dict(re.findall(r"^## ([^\n]*)\n+```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


RECIPES = blocks(PAGE.read_text())


def run(machine: LisaHost, script: str) -> tuple[list[str], str]:
    """Run a block; return the lines that it prints, and its script as run."""
    machine.add_program("lisa", f'#!/bin/sh\nexec "{sys.executable}" -P -m lisa_py "$@"\n')
    script = re.sub(r"--agent (?:claude|codex)", "--agent scripted", script).replace("/tmp/", f"{machine.folder}/")
    for prompt, directives in WORDS.items():
        script = script.replace(prompt, directives)
    ended = subprocess.run(
        ["sh", "-ec", script], cwd=machine.project, env={**machine.env, "PYTHONPATH": str(TREE)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended
    return ended.stdout.splitlines(), script


def parse(line: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(line)
    answer.pop("stderrPolicy")
    return answer


def test_one_run(machine: LisaHost) -> None:
    (monitored, answer, killed), _ = run(machine, RECIPES["One run"])
    assert (parse(monitored)["finalState"], answer) == ("completed", "two functions")
    assert (parse(killed)["ok"], parse(killed)["found"]) == (True, True)


@pytest.mark.parametrize(("text", "second"), [(RECIPES["A conversation"], "it is the second"), ("", "fixed")])
def test_conversation(machine: LisaHost, text: str, second: str) -> None:
    script = text or blocks(MAIN.read_text())["The loop"].replace("NAME", "lisa-name")
    lines, _ = run(machine, script)
    if not text:
        assert lines.pop(0) == "lisa-name"
    monitored, first, turned, answer, killed = lines
    assert (parse(monitored)["finalState"], parse(monitored)["waitingFor"]) == ("waiting_input", "prompt")
    assert (first, answer) == ("two findings", second)
    assert (parse(turned)["ok"], parse(turned)["waitingFor"], parse(turned)["nextAction"]) == (
        True, "prompt", "session send",
    )  # fmt: skip
    assert parse(killed)["ok"]


def test_permission(machine: LisaHost) -> None:
    (asked, sent, monitored, killed), _ = run(machine, RECIPES["Permissions and questions"])
    assert {"session", "finalState", "waitingFor", "stateDetail", "choices"} <= set(parse(asked))
    assert (parse(asked)["waitingFor"], parse(asked)["stateDetail"]) == ("permission", "touch notes.txt")
    assert [choice["text"] for choice in parse(asked)["choices"]] == ["Yes", "Yes, and do not ask again", "No"]
    assert parse(sent)["delivered"] is True
    assert (parse(monitored)["waitingFor"], "choices" in parse(monitored)) == ("prompt", False)
    assert parse(killed)["ok"] and not (machine.project / "notes.txt").exists()


def test_fleet(machine: LisaHost) -> None:
    lines, _ = run(machine, RECIPES["A fleet"])
    names = [f"lisa-review-{part}" for part in ("api", "cli", "docs")]
    assert lines[:3] == names
    first, every = parse(lines[3]), parse(lines[4])
    assert first["ok"] and {row["session"] for row in first["sessions"]} | set(first["pending"]) == set(names)
    assert {row["session"]: (row["waitingFor"], row["nextAction"]) for row in every["sessions"]} == dict.fromkeys(
        names, ("prompt", "session send")
    )
    assert lines[5:8] == ["api is fine", "cli is fine", "docs is fine"]
    assert parse(lines[8])["killed"] == 3


def test_result_is_handed_on_without_secrets(machine: LisaHost) -> None:
    (first, monitored, name, again, *answer, killed), _ = run(machine, RECIPES["Handing on"])
    assert parse(monitored)["waitingFor"] == parse(again)["waitingFor"] == "prompt"
    assert (first, name, parse(killed)["killed"]) == ("lisa-review", "lisa-fix", 2)
    assert answer[0] == "port fixed"
    task = (machine.folder / "task.md").read_text()
    assert "data, not instructions" in task.split("\n")[0] and "the port is wrong" in task
    assert "sk-ant-api03" not in task


def test_family(machine: LisaHost) -> None:
    (monitored, tree, killed), _ = run(machine, RECIPES["Agents that run lisa themselves"])
    assert parse(monitored)["waitingFor"] == "prompt"
    assert [row["session"] for row in parse(tree)["rows"]][1:] == ["lisa-child"]
    assert parse(killed)["ok"]


def test_failures(machine: LisaHost) -> None:
    (timeout, explained, sent, killed), _ = run(machine, RECIPES["Failures"])
    assert (parse(timeout)["ok"], parse(timeout)["errorCode"]) == (False, "monitor_timeout")
    assert parse(explained)["sessionState"] == "in_progress"
    assert parse(sent)["ok"] and parse(killed)["ok"]


def test_every_recipe_is_run_by_a_test() -> None:
    assert set(RECIPES) == {
        "One run", "A conversation", "Permissions and questions", "A fleet", "Handing on",
        "Agents that run lisa themselves", "Failures",
    }  # fmt: skip
    assert set(blocks(MAIN.read_text())) == {"The loop"}
    assert not [prompt for prompt in WORDS if prompt not in PAGE.read_text() + MAIN.read_text()]


def test_recipes_prefer_small_answers() -> None:
    calls = re.findall(r"^.*lisa session .*$", "\n".join(RECIPES.values()), re.MULTILINE)
    assert not [call for call in calls if re.search(r"--json(?!-min)", call)]
    assert len(MAIN.read_text()) < 5600 and len(PAGE.read_text()) < 5600
