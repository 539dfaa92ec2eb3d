"""Suggested next action: name, command line, command tree, urgency."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lisa_py.cli import parse
from lisa_py.commands import load
from lisa_py.contract.status import SESSION_STATES
from lisa_py.core.advice import next_action
from lisa_py.core.advice.next_action import ActionTarget
from tests.lisa_host import LisaHost

SUBJECT = ActionTarget(session="lisa-a", project_root="/p q", agent="claude", mode="exec", binary="./lisa")
NAMES = {
    "waiting_input": "session send",
    "in_progress": "session monitor",
    "degraded": "session monitor",
    "completed": "session capture",
    "crashed": "session explain",
    "stuck": "session explain",
    "not_found": "session spawn",
    "just_started": "session status",
}
COMMANDS = {
    "session send": "./lisa session send --session 'lisa-a' --project-root '/p q'"
    " --text 'Continue from objective and latest state.' --enter --json-min",
    "session monitor": "./lisa session monitor --session 'lisa-a' --project-root '/p q' --json-min",
    "session capture": "./lisa session capture --session 'lisa-a' --project-root '/p q'"
    " --raw --summary --summary-style ops --json",
    "session explain": "./lisa session explain --session 'lisa-a' --project-root '/p q' --events 40 --json-min",
    "session spawn": "./lisa session spawn --agent claude --mode exec --project-root '/p q' --json",
    "session status": "./lisa session status --session 'lisa-a' --project-root '/p q' --json-min",
}


def test_each_state_has_its_next_action() -> None:
    assert {state: next_action.name_for_state(state) for state in SESSION_STATES} == NAMES
    assert next_action.name_for_state("something new") == "session status"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_is_that_of_the_contract(name: str) -> None:
    assert next_action.format_command(name, SUBJECT) == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_tree_says_the_same_as_the_command_line(name: str) -> None:
    action = next_action.build_action(name, SUBJECT)
    assert list(action.command_ast.argv) == shlex.split(action.command)
    assert action.command_ast.schema == "lisa.command.ast.v1"
    assert action.command_ast.subcommands == tuple(name.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_recommended_words_are_ones_the_command_takes(name: str) -> None:
    path = tuple(name.split())
    command = load(path)
    assert command is not None
    words = list(next_action.build_ast(name, SUBJECT).argv[3:])
    parse.read_arguments(path, command, words)


def test_a_lost_session_is_started_again_as_what_it_was() -> None:
    """Not as whichever agent a table names, with a model that is not its own."""
    for agent, mode in (("claude", "interactive"), ("codex", "exec"), ("scripted", "interactive")):
        line = next_action.format_command(
            "session spawn", ActionTarget(session="x", project_root="/p", agent=agent, mode=mode)
        )
        assert f"--agent {agent} --mode {mode}" in line
        assert "--model" not in line
    with_model = ActionTarget(session="x", project_root="/p", agent="codex", mode="exec", model="m 1")
    assert "--model 'm 1'" in next_action.format_command("session spawn", with_model)


def test_the_program_is_called_by_the_name_it_has_here(machine: LisaHost) -> None:
    settings = machine.context().settings
    assert next_action.detect_binary(settings, str(machine.project)) == "lisa"
    Path(machine.project, "lisa").write_text("#!/bin/sh\n")
    assert next_action.detect_binary(settings, str(machine.project)) == "./lisa"


@pytest.mark.parametrize("text", ["it's", "a b", "$HOME", "new\nline", ""])
def test_words_survive_the_shell(text: str) -> None:
    subject = ActionTarget(session="lisa-a", project_root=text)
    line = next_action.format_command("session status", subject)
    if "\n" not in text:
        assert shlex.split(line) == list(next_action.build_ast("session status", subject).argv)


def test_who_needs_somebody_most_comes_first() -> None:
    order = sorted(SESSION_STATES, key=lambda state: -next_action.session_priority(state)[0])
    assert order[:4] == ["crashed", "stuck", "degraded", "waiting_input"]
    assert next_action.session_priority("crashed") == (100, "critical")
    assert next_action.session_priority("just_started") == (40, "unknown")
    assert next_action.session_priority("not_found") == (5, "missing")
