"""Every command line that lisa suggests is one that its parser accepts."""

from __future__ import annotations

import ast
import itertools
import keyword
import re
import shlex
from collections.abc import Callable, Iterator
from itertools import product
from typing import get_args

import pytest

from lisa_py import agents, commands
from lisa_py.cli import parse
from lisa_py.contract.command import Command, Field
from lisa_py.contract.command_line import VOCABULARY_FLAGS
from lisa_py.contract.errors import UsageError
from lisa_py.contract.status import SESSION_STATES, WaitingFor
from lisa_py.core.advice import anomaly, command_ast, next_step, recovery
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.advice.target import AdviceTarget, RespawnOptions
from lisa_py.core.handoff import replay
from lisa_py.core.handoff.replay import ReplayCheckpoint
from lisa_py.core.planning import cost, runbook
from lisa_py.core.planning.runbook import RunbookJob
from tests.house.sources import parse_modules, walk

SESSION, ROOT = "lisa-a", "/p/it's here"
PROMPT = 'say "hello" & $HOME\nthen stop'
BUDGETS = (1, 250, 251, 600, 601, 5000)
WAITING_FOR = get_args(WaitingFor)


def advice_targets() -> Iterator[AdviceTarget]:
    for name, mode in product(agents.names(), ("interactive", "exec")):
        options = RespawnOptions(agent=name, mode=mode)
        yield AdviceTarget(session=SESSION, project_root=ROOT, respawn_options=options, binary="./lisa")


def suggested_steps() -> Iterator[str]:
    for target in advice_targets():
        for state, waiting_for, error, budget in product(SESSION_STATES, WAITING_FOR, ("", "auth"), (None, *BUDGETS)):
            situation = Situation(session_state=state, waiting_for=waiting_for, error_kind=error)
            step = next_step.recommend_step(situation, target, budget)
            assert step.action == step.line.name
            assert shlex.split(step.command) == list(command_ast.build_ast(step.line).argv)
            yield step.command


def suggested_recoveries() -> Iterator[str]:
    for target in advice_targets():
        for code in anomaly._DESCRIPTIONS:
            finding = anomaly.AnomalyFinding(code, "high", 1, "", "")
            yield from (step.command for step in recovery.plan_recovery([finding], target).steps)
        for state in SESSION_STATES:
            action = Situation(session_state=state).action
            checkpoint = ReplayCheckpoint(session=SESSION, project_root=ROOT, session_state=state, next_action=action)
            yield from (step.command for step in replay.build_steps(checkpoint, target))


def suggested_plans() -> Iterator[str]:
    for name, mode, budget in product(agents.names(), ("interactive", "exec"), (0, 700)):
        job = RunbookJob(
            agent=agents.get(name), mode=mode, nested_policy="auto", nesting_intent="auto",
            project_root=ROOT, prompt=PROMPT, model="m", budget=budget,
        )  # fmt: skip
        yield from (step.command for step in runbook.build_runbook(job).steps)
    yield cost.build_hard_stop(cost.estimate_cost("exec", "exec"), 700, "lisa").enforce_command


@pytest.mark.parametrize("suggestions", [suggested_steps, suggested_recoveries, suggested_plans])
def test_suggested_command_lines_parse(suggestions: Callable[[], Iterator[str]]) -> None:
    lines = set(suggestions())
    assert len(lines) > 5
    for line in lines:
        program, *words = shlex.split(line.replace("$SESSION", SESSION).replace("$RUNTIME_METRICS_JSON", "-"))
        assert program in ("lisa", "./lisa"), line
        path, rest = parse.split_command(words)
        command = commands.load(path)
        assert command is not None, line
        parse.read_arguments(path, command, rest)


def test_a_suggestion_with_an_unknown_flag_is_found() -> None:
    path, rest = parse.split_command(["session", "status", "--session", SESSION, "--no-such-flag"])
    command = commands.load(path)
    assert command is not None
    with pytest.raises(parse.UsageError):
        parse.read_arguments(path, command, rest)


# -- every call in the package, whether a test reaches it or not ---------------------------------------------------

_BUILDERS = {"build": "command_line", "build_line": ""}
"""Names of the functions that build command lines, and of the module through which they are called."""
_IMPLIED = {"build_line": ("session", "project_root")}
_BUILDER_KEYWORDS = {"binary"}


def find_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that build a command line; the wrapper that passes its arguments on is not one."""
    wrappers = [node for node in walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "build_line"]
    inside = {id(node) for wrapper in wrappers for node in ast.walk(wrapper)}
    for node in walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _BUILDERS:
            module = _BUILDERS[node.func.attr]
            if not module or (isinstance(node.func.value, ast.Name) and node.func.value.id == module):
                yield node


def check_call(call: ast.Call) -> list[str]:
    """Return the problems of one call: an unknown command or flag, a missing flag, a refused value."""
    assert isinstance(call.func, ast.Attribute)
    name = call.args[0] if len(call.args) == 1 else None
    if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
        return ["the name of the command is not a literal"]
    path = tuple(name.value.split())
    command = commands.load(path)
    if command is None:
        return [f"no command {name.value}"]
    fields = {key: field for field in command.fields for key in _keywords_of(field)}
    given = [*_IMPLIED.get(call.func.attr, ()), *(word.arg for word in call.keywords)]
    problems = [
        f"{name.value} has no flag {word}" for word in given if word not in fields and not _is_common(word, command)
    ]
    missing = {field.name for field in command.fields if field.required} - {
        fields[word].name for word in given if word in fields
    }
    problems += [f"{name.value} needs {word}" for word in sorted(missing)]
    for word in call.keywords:
        if word.arg in fields:
            problems += _check_values(fields[word.arg], word.value)
    return problems


def _keywords_of(field: Field) -> Iterator[str]:
    yield field.name
    for spelling in field.flag.other_spellings:
        word = spelling.removeprefix("--").replace("-", "_")
        yield f"{word}_" if keyword.iskeyword(word) else word


def _is_common(word: str | None, command: Command) -> bool:
    return word == "json" or (word == "json_min" and command.min is not None) or word in _BUILDER_KEYWORDS


def _check_values(field: Field, value: ast.expr) -> list[str]:
    """Check each literal that the value can take."""
    branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    problems = []
    for branch in branches:
        literal = branch.value if isinstance(branch, ast.Constant) else None
        if literal in (None, "", False):
            continue
        if (literal is True) != field.is_switch and isinstance(branch, ast.Constant):
            problems.append(f"{field.spelling}: {literal!r} is no value of it")
        elif literal is not True:
            try:
                field.parse(str(literal))
            except UsageError as problem:
                problems.append(str(problem))
    if field.flag.choices and field.name not in VOCABULARY_FLAGS:
        problems.append(f"{field.spelling} takes words of a fixed list: add it to VOCABULARY_FLAGS")
    return problems


def test_every_call_names_a_command_and_its_flags() -> None:
    calls = [(path, call) for path, tree in parse_modules().items() for call in find_calls(tree)]
    assert len(calls) > 20
    assert [f"{path}:{call.lineno}: {problem}" for path, call in calls for problem in check_call(call)] == []


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ('command_line.build("session stat")', "no command session stat"),
        ('command_line.build("session status", session=x, colour=1)', "session status has no flag colour"),
        ('command_line.build("session anomaly", session=x, json_min=True)', "session anomaly has no flag json_min"),
        ('command_line.build("session kill", json=True)', "session kill needs session"),
        ('target.build_line("session monitor", expect="soon")', "invalid --expect: soon"),
        ('target.build_line("session monitor", expect="any" if x else "never")', "invalid --expect: never"),
        ('target.build_line("session monitor", stop_on_waiting=True)', "--stop-on-waiting: True is no value of it"),
        ('target.build_line("session send", enter="yes")', "--enter: 'yes' is no value of it"),
        ('target.build_line(f"session {x}")', "not a literal"),
        ('target.build_line("session context-pack", for_=x)', ""),
    ],
)
def test_a_wrong_call_is_found(code: str, problem: str) -> None:
    (call,) = find_calls(ast.parse(code))
    found = check_call(call)
    assert problem in "; ".join(found) if problem else not found


# -- texts that name a command -----------------------------------------------------------------------------------

_GROUPS = "|".join(sorted({" ".join(path[:-1]) for path in commands.paths() if path[1:]}, key=len, reverse=True))
_COMMANDS = "|".join(commands.command_names())
_MENTION = re.compile(rf"(?<![\w./-])lisa (?:(?:{_GROUPS}) [a-z][a-z-]+|(?:{_COMMANDS})\b)(?: --[a-z][a-z-]*)?")


def find_mentions(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the command and the flag of every text that names a command; docstrings are texts, too."""
    for node in walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for text in _MENTION.findall(node.value):
                name, _, flag = text.removeprefix("lisa ").partition(" --")
                yield node.lineno, name, f"--{flag}" if flag else ""


def check_mention(name: str, flag: str) -> str:
    command = commands.load(tuple(name.split()))
    if command is None:
        return f"no command {name}"
    spellings = {spelling for field in command.fields for spelling in field.spellings()}
    return "" if not flag or flag in spellings | {"--json", "--json-min", "--help"} else f"{name} has no {flag}"


def test_every_text_names_commands_that_exist() -> None:
    found = [
        (path, line, name, flag) for path, tree in parse_modules().items() for line, name, flag in find_mentions(tree)
    ]
    assert len(found) > 60
    assert [
        f"{path}:{line}: {problem}" for path, line, name, flag in found if (problem := check_mention(name, flag))
    ] == []


def test_a_text_with_an_unknown_command_is_found() -> None:
    tree = ast.parse('"no such session (lisa session lst shows them; lisa session list --al)"')
    assert [check_mention(name, flag) for _, name, flag in find_mentions(tree)] == [
        "no command session lst",
        "session list has no --al",
    ]


def test_flags_with_values_come_from_the_builder() -> None:
    """An f-string that puts a value after a flag of a command is a command line without quoting."""
    shape = re.compile(r"lisa [a-z -]+ --[a-z-]+ $")
    found = [
        f"{path}:{node.lineno}"
        for path, tree in parse_modules().items()
        for node in walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part, following in itertools.pairwise(node.values)
        if isinstance(part, ast.Constant)
        and shape.search(str(part.value))
        and isinstance(following, ast.FormattedValue)
    ]
    assert found == []
