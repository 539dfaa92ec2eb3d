"""Every command line that lisa suggests is one that its parser accepts."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from lisa_py import agents, commands
from lisa_py.cli import parse
from lisa_py.contract.status import SESSION_STATES
from lisa_py.core.advice import anomaly, next_action, next_step, recovery
from lisa_py.core.advice.next_action import ActionTarget
from lisa_py.core.advice.recovery import AdviceTarget
from lisa_py.core.advice.respawn import RespawnOptions
from lisa_py.core.handoff import replay
from lisa_py.core.handoff.replay import ReplayCheckpoint
from lisa_py.core.planning import cost, runbook
from lisa_py.core.planning.runbook import RunbookJob

SESSION, ROOT = "lisa-a", "/p/it's here"
PROMPT = 'say "hello" & $HOME\nthen stop'
BUDGETS = (1, 250, 251, 600, 601, 5000)
WAITING_FOR = ("", "prompt", "permission", "question", "trust", "limit")


def advice_targets() -> Iterator[AdviceTarget]:
    for name, mode in product(agents.names(), ("interactive", "exec")):
        options = RespawnOptions(agent=name, mode=mode)
        yield AdviceTarget(session=SESSION, project_root=ROOT, respawn_options=options, binary="./lisa")


def suggested_actions() -> Iterator[str]:
    target = ActionTarget(
        session=SESSION, project_root=ROOT, agent="claude", mode="exec", model="opus", binary="./lisa"
    )
    for state in SESSION_STATES:
        action = next_action.build_action(next_action.name_for_state(state), target)
        assert shlex.split(action.command) == list(action.command_ast.argv)
        yield action.command
    yield next_action.format_kill_command(SESSION, ROOT)


def suggested_steps() -> Iterator[str]:
    for target in advice_targets():
        for state, waiting_for, budget in product(SESSION_STATES, WAITING_FOR, BUDGETS):
            yield next_step.recommend_step(state, waiting_for, budget, target).command
        yield next_step.recommend_project_root(SESSION, "lisa").command


def suggested_recoveries() -> Iterator[str]:
    for target in advice_targets():
        for code in anomaly._DESCRIPTIONS:
            finding = anomaly.AnomalyFinding(code, "high", 1, "", "")
            yield from (step.command for step in recovery.plan_recovery([finding], target).steps)
        for state in SESSION_STATES:
            action = next_action.name_for_state(state)
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


@pytest.mark.parametrize("suggestions", [suggested_actions, suggested_steps, suggested_recoveries, suggested_plans])
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
