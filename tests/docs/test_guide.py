"""Run every script of the guide for orchestrators with the scripted agent."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lisa_py import commands
from lisa_py.core.skill import contract_check
from tests.house.sources import TREE
from tests.lisa_host import LisaHost

GUIDE = TREE / "docs" / "guide"
PATTERNS = sorted((GUIDE / "patterns").glob("*.md"))
ROLES = ("AGENT", "REVIEWER", "FIXER", "PLANNER", "WORKER", "CHECKER")
CHILD = "lisa session spawn --session lisa-child --agent scripted --prompt hi"
OUTBOX = "lisa session outbox list --session lisa-worker"
EXPECTATIONS: dict[str, tuple[dict[str, str], list[str]]] = {
    "single-worker": (
        {"PROMPT": "[say two findings]", "FOLLOW_UP": "[say the first one]"},
        ["two findings", "the first one"],
    ),
    "permissions": ({"PROMPT": "[ask touch notes.txt] [say made it]"}, ["ok: approved", "made it"]),
    "fleet": (
        {"TASKS": "[say alpha]\n[think 0.2] [say beta]\n[exit 3]\n[think 1] [exit 4]"},
        ["\nalpha", "\nbeta", "== lisa-job-3: ", "== lisa-job-4: crashed"],
        # job 3 crashes if an earlier start of its kind had worked: then spawn does not watch for an early end
    ),
    "lanes": ({"REVIEW": "[say a finding]", "FIX": "[say fixed]"}, ["review,analysis,scripted", "a finding", "fixed"]),
    "ask": (
        {
            "QUESTION": "[say two fail]",
            "FIRST": f"[run until {OUTBOX} | grep -q '^second *withdrawn'; do sleep 0.1; done] [say fixed]",
            "SECOND": "[say ran]",
            "LAST": "[choose Which? | keep | drop] [say over]",
        },
        ["two fail\nqueued: ", "asks,lisa-worker,scripted,Which?,", "first  answered", "second  withdrawn"],
    ),
    "budget-loop": ({"PROMPT": "[say one]", "NEXT": "[say ALL-GREEN]"}, ["done after step 2", '"tokens":']),
    "handoff-chain": (
        {"PLAN": "[say a plan]", "WORK": "[say worked]", "CHECK": "[say checked]"},
        ["a plan", "worked", "checked", "lisa-work,idle,waiting_input"],
    ),
    "resume": (
        {"API": "[say one of api]", "CLI": "[say one of cli]", "GO_ON": "[say goes on]"},
        [
            "would resume lisa-api: scripted conversation",
            "resumed lisa-cli: scripted conversation",
            "\n> [say goes on]",
        ],
    ),
    "worktree": (
        {"DOCS": "[run echo a >docs.md] [say ok]", "CODE": "[run echo b >code.py] [say ok]"},
        [
            "+1 -0\tdocs.md\n1 file, +1 -0, 0 commits ahead of main",
            "merged 1 commit of lisa/lisa-code into main",
            "\nMerge branch 'lisa/lisa-code'\n",
        ],
    ),
    "nested": (
        {"PROMPT": f"[run {CHILD}] [run lisa session wait --all --sessions lisa-child] [say both done]"},
        ["\n  lisa-child (scripted/interactive)", "both done"],
    ),
}
"""Environment of each pattern, and texts that its output must contain."""


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def run(machine: LisaHost, script: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    machine.add_program("lisa", f'#!/bin/sh\nexec "{sys.executable}" -P -m lisa_py "$@"\n')
    own = {**machine.env, "PYTHONPATH": str(TREE), **dict.fromkeys(ROLES, "scripted"), **env}
    return subprocess.run(
        ["sh", "-c", script], cwd=machine.project, env=own, capture_output=True, text=True, timeout=120, check=False
    )


def test_each_pattern_has_one_script_and_an_expectation() -> None:
    assert {page.stem for page in PATTERNS} == set(EXPECTATIONS)
    assert all(len(blocks(page)) == 1 for page in PATTERNS)
    assert not [page.stem for page in PATTERNS if f"patterns/{page.name}" not in (GUIDE / "README.md").read_text()]


@pytest.mark.parametrize("page", PATTERNS, ids=lambda page: page.stem)
def test_pattern_succeeds_and_leaves_nothing(machine: LisaHost, page: Path) -> None:
    environment, expected = EXPECTATIONS[page.stem]
    ended = run(machine, blocks(page)[0], environment)
    assert ended.returncode == 0, ended
    assert not [words for words in expected if words not in ended.stdout], ended.stdout
    assert machine.lisa("session", "list", "--json").json["sessions"] == []


TRUST = "[dialog trust Trust? | Yes | No]"


@pytest.mark.parametrize(
    ("pattern", "environment", "expected"),
    [
        ("handoff-chain", {"WORK": "[error overloaded x]"}, "lisa-work has no report to hand on; it waits for: error"),
        ("lanes", {"REVIEW": "[ask touch f]"}, "has no result; it waits for: permission"),
        ("budget-loop", {"PROMPT": "[choose Which? | a | b]"}, "no result of step 1:"),
        ("permissions", {"PROMPT": TRUST}, "scripted asks whether this folder is trusted; a person decides"),
    ],
)
def test_question_or_failed_turn_is_not_a_result(
    machine: LisaHost, pattern: str, environment: dict[str, str], expected: str
) -> None:
    script = blocks(GUIDE / "patterns" / f"{pattern}.md")[0]
    ended = run(
        machine, script, {"PLAN": "[say a plan]", "CHECK": "[say checked]", "FIX": "[say checked]", **environment}
    )
    assert (ended.returncode, "checked" in ended.stdout) == (1, False), ended
    assert expected in ended.stderr


def test_fleet_names_a_session_that_asks(machine: LisaHost) -> None:
    script = blocks(GUIDE / "patterns" / "fleet.md")[0].replace("--mode exec", "--mode interactive")
    ended = run(machine, script, {"TASKS": f"{TRUST}\n[say beta]"})
    assert (ended.returncode, "no result; it waits for: trust" in ended.stdout) == (0, True), ended
    assert "\nbeta" in ended.stdout


def test_budget_stops_the_loop(machine: LisaHost) -> None:
    script = blocks(GUIDE / "patterns" / "budget-loop.md")[0]
    ended = run(machine, script, {"PROMPT": "[say one]", "NEXT": "[say on]", "MAX_STEPS": "2"})
    assert (ended.returncode, "stopped after step 3" in ended.stdout) == (0, True), ended
    ended = run(machine, script, {"PROMPT": "[say one]", "MAX_TOKENS": "1"})
    assert "stopped after step 1" in ended.stdout


def test_unlisted_permission_is_denied(machine: LisaHost) -> None:
    script = blocks(GUIDE / "patterns" / "permissions.md")[0]
    ended = run(machine, script, {"PROMPT": "[ask touch other.txt] [say so be it]"})
    assert ended.returncode == 0 and "ok: denied" in ended.stdout, ended
    assert not (machine.project / "other.txt").exists()


@pytest.mark.parametrize("number", range(1, len(blocks(GUIDE / "README.md"))))
def test_steps_of_the_guide_run(machine: LisaHost, number: int) -> None:
    """The first block needs a real agent and is left out."""
    ended = run(machine, "set -e\n" + blocks(GUIDE / "README.md")[number], {"PROMPT": "[say hello]"})
    assert ended.returncode == 0, ended
    assert machine.lisa("session", "list", "--json").json["sessions"] == []


def test_typed_lines_of_the_talking_page_are_delivered(machine: LisaHost) -> None:
    ended = run(machine, "set -e\n" + blocks(GUIDE / "talking.md")[0], {"PROMPT": "[say hello]"})
    assert ended.returncode == 0 and "interactive mode" in ended.stderr, ended
    assert machine.lisa("session", "list", "--json").json["sessions"] == []


@pytest.mark.parametrize("number", range(len(blocks(GUIDE / "definitions.md"))))
def test_steps_of_the_definitions_page_run(machine: LisaHost, number: int) -> None:
    ended = run(machine, "set -e\n" + blocks(GUIDE / "definitions.md")[number], {})
    assert ended.returncode == 0, ended
    assert machine.lisa("session", "list", "--json").json["sessions"] == []


def test_every_call_uses_existing_commands_and_flags() -> None:
    known = {entry.name: set(entry.flags) for entry in commands.build_index()}
    calls = [words for page in GUIDE.rglob("*.md") for words in contract_check.extract_calls(page.read_text())]
    assert len(calls) > 50
    assert not [problem for words in calls for problem in contract_check.find_problems(words, known)]


def test_links_have_targets() -> None:
    pages = list(GUIDE.rglob("*.md"))
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert not [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
