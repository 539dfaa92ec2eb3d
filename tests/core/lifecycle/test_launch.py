"""Launches: checked in the order of the contract, then fitted to what is installed."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.core.lifecycle import launch
from lisa_py.host import files
from lisa_py.store import agent_facts
from tests.lisa_host import LisaHost

CODEX, CLAUDE = "codex", "claude"
BYPASS = "--dangerously-bypass-approvals-and-sandbox"


def resolve(agent: str = CODEX, mode: str = "exec", **more: Any) -> launch.ResolvedLaunch:
    return launch.resolve_launch(launch.LaunchRequest(agent=agent, mode=mode, **more))


def refused(**more: Any) -> str:
    with pytest.raises(LisaError) as problem:
        _ = resolve(**more).command
    return problem.value.code


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"prompt": "hi", "model": "m1"}, "codex exec 'hi' --full-auto --skip-git-repo-check --model 'm1'"),
        ({"prompt": "hi", "agent_args": "--full-auto"}, "codex exec 'hi' --skip-git-repo-check --full-auto"),
        ({"prompt": "Use ./lisa"}, f"codex exec 'Use ./lisa' --skip-git-repo-check {BYPASS}"),
        (
            {"mode": "interactive", "model": "a b", "prompt": "multi\nline it's"},
            "codex --model 'a b' $'multi\\nline it\\'s'",
        ),
        ({"agent": CLAUDE, "prompt": "hi"}, "claude -p 'hi' --dangerously-skip-permissions"),
        ({"agent": CLAUDE, "mode": "interactive"}, "claude --dangerously-skip-permissions"),
        ({"agent": CLAUDE, "mode": "interactive", "skip_permissions": False, "agent_args": "-c"}, "claude -c"),
        (
            {"agent": CLAUDE, "mode": "interactive", "prompt": "x'y"},
            "claude --dangerously-skip-permissions 'x'\"'\"'y'",
        ),
    ],
)
def test_command_line_equals_the_documented_one(wanted: dict[str, Any], line: str) -> None:
    assert resolve(**wanted).command == line


def test_flag_that_begins_like_skip_permissions_is_another() -> None:
    line = resolve(agent=CLAUDE, mode="interactive", agent_args="--dangerously-skip-permissions-not").command
    assert line.split()[1] == "--dangerously-skip-permissions"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"agent": "nobody", "mode": "?", "model": "a\nb"}, "invalid_agent"),
        ({"mode": "?", "model": "a\nb"}, "invalid_mode"),
        ({"model": "a\tb", "nested_policy": "?"}, "invalid_model"),
        ({"agent": CLAUDE, "model": "m", "nested_policy": "?"}, "invalid_model_configuration"),
        ({"model": "m", "agent_args": "--model=n", "nested_policy": "?"}, "invalid_model_configuration"),
        ({"nested_policy": "?", "nesting_intent": "?"}, "invalid_nested_policy"),
        ({"nesting_intent": "?"}, "invalid_nesting_intent"),
        ({"nested_policy": "force", "agent_args": "--full-auto"}, "invalid_nested_policy_combination"),
        ({"prompt": ""}, "agent_command_build_failed"),
        ({"prompt": "x", "agent_args": f"--full-auto {BYPASS}"}, "agent_command_build_failed"),
    ],
)
def test_first_error_is_named(wanted: dict[str, Any], code: str) -> None:
    assert refused(**wanted) == code


def test_modes_intents_and_models_have_aliases() -> None:
    found = resolve(mode="Execution", nesting_intent="Bypass", model=" Codex-Spark ", prompt="x")
    assert (found.launch.mode, found.nesting_intent, found.launch.model) == ("exec", "nested", "gpt-5.3-codex-spark")
    assert found.effective_args == f"--model 'gpt-5.3-codex-spark' {BYPASS}"


def test_effective_flags_are_those_of_the_command_line() -> None:
    plain = resolve(prompt=f"what does {BYPASS} do?").effective_detection()
    assert (plain.effective_bypass, plain.effective_full_auto) == (launch.UNSET, True)
    nested = resolve(prompt="Use ./lisa").effective_detection()
    assert (nested.effective_bypass, nested.effective_full_auto) == (True, launch.UNSET)


def test_custom_command_is_unchanged(machine: LisaHost) -> None:
    found = resolve(prompt="Use ./lisa", command=f"run {BYPASS}")
    assert (found.command, found.detection.reason) == (f"run {BYPASS}", "custom_command_override")
    assert found.effective_detection().effective_bypass is True
    assert prepare(machine, found).plan.script == f"run {BYPASS}"


def prepare(machine: LisaHost, found: launch.ResolvedLaunch) -> launch.PreparedLaunch:
    return launch.prepare_launch(
        machine.context(), found, folder=str(machine.home), project_root=str(machine.project), run_id="1",
        environ=machine.env,
    )  # fmt: skip


def test_missing_agent_is_refused_before_the_start(machine: LisaHost) -> None:
    machine.env["PATH"] = str(machine.bin)
    with pytest.raises(LisaError) as problem:
        prepare(machine, resolve(prompt="x"))
    assert problem.value.code == "agent_not_installed" and "lisa doctor" in problem.value.message


CLAUDE_LIKE = """#!/bin/sh
echo asked >> "$HOME/asked"
case $1 in
--version) echo "2.1.329 (Claude Code)" ;;
--help) echo "  --settings <file>  x"; echo "  --session-id <uuid>  y" ;;
esac
"""


def probe_count(machine: LisaHost) -> int:
    path = machine.home / "asked"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_binary_is_probed_once_until_it_changes(machine: LisaHost) -> None:
    machine.add_program(CLAUDE, CLAUDE_LIKE)
    agent = agents.get(CLAUDE)
    first = launch.read_facts(machine.context(), agent)
    assert first.version == "2.1.329" and "--settings" in first.flags
    before = probe_count(machine)
    assert launch.read_facts(machine.context(), agent) == first and probe_count(machine) == before
    machine.add_program(CLAUDE, CLAUDE_LIKE + "# newer\n")
    assert launch.read_facts(machine.context(), agent) == first and probe_count(machine) > before


def test_binary_is_probed_again_after_a_day(machine: LisaHost) -> None:
    machine.add_program(CLAUDE, CLAUDE_LIKE)
    context = machine.context()
    launch.read_facts(context, agents.get(CLAUDE))
    path = str(machine.bin / CLAUDE)
    now = context.clock.now()
    assert agent_facts.load_facts(path, context.settings, now)
    assert agent_facts.load_facts(path, context.settings, now + agent_facts.MAX_AGE_SECONDS + 1) is None


def test_known_start_shapes_belong_to_the_binary(machine: LisaHost) -> None:
    machine.add_program(CLAUDE, CLAUDE_LIKE)
    context, agent, path = machine.context(), agents.get(CLAUDE), str(machine.bin / CLAUDE)
    agent_facts.add_shape(path, "early", context.settings, context.clock.now())
    assert launch.read_facts(context, agent).shapes == frozenset()  # nothing was known of the file
    for shape in ("one", "two", "one"):
        agent_facts.add_shape(path, shape, context.settings, context.clock.now())
    assert launch.read_facts(context, agent).shapes == {"one", "two"}
    for number in range(agent_facts.MAX_SHAPES):
        agent_facts.add_shape(path, str(number), context.settings, context.clock.now())
    assert launch.read_facts(context, agent).shapes == set(map(str, range(agent_facts.MAX_SHAPES)))
    machine.add_program(CLAUDE, CLAUDE_LIKE + "# newer\n")
    assert launch.read_facts(context, agent).shapes == frozenset()


def test_corrupt_fact_file_is_set_aside(machine: LisaHost) -> None:
    machine.add_program(CLAUDE, CLAUDE_LIKE)
    context = machine.context()
    files.ensure_private_dir(context.settings.state_dir)
    book = agent_facts.path(context.settings)
    files.write(book, "{not json")
    assert launch.read_facts(context, agents.get(CLAUDE)).version == "2.1.329"
    assert agent_facts.load_facts(str(machine.bin / CLAUDE), context.settings, context.clock.now())
    assert [name for name in files.list_names(context.settings.state_dir) if ".corrupt-" in name]


def test_binary_without_version_is_not_cached(machine: LisaHost) -> None:
    machine.add_program(CLAUDE, "#!/bin/sh\nexit 3\n")
    context = machine.context()
    assert launch.read_facts(context, agents.get(CLAUDE)).version == ""
    assert agent_facts.load_facts(str(machine.bin / CLAUDE), context.settings, context.clock.now()) is None


def test_unwritable_state_folder_only_repeats_the_probe(machine: LisaHost) -> None:
    machine.add_program(CLAUDE, CLAUDE_LIKE)
    machine.env["LISA_STATE_DIR"] = "/dev/null/state"
    assert launch.read_facts(machine.context(), agents.get(CLAUDE)).version == "2.1.329"
