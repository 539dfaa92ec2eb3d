"""Scripts, chaos modes and prompts of a smoke run."""

from __future__ import annotations

import subprocess

import pytest

from lisa_py.core.workflows import smoke_plan
from lisa_py.core.workflows.smoke_plan import SmokePlan, build_script, judge_chaos, parse_matrix


def make_plan(count: int, chaos: str = "none", **more: object) -> SmokePlan:
    return SmokePlan(
        run_id="r", folder="/w", levels=smoke_plan.build_levels("r", "/w", count), agent="someone",
        project_root="/pro ject", program="/w/lisa", chaos=chaos, **more,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("chaos", smoke_plan.CHAOS)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_script_is_valid_shell(count: int, chaos: str) -> None:
    made = make_plan(count, chaos, model="it's")
    for level in made.levels:
        ended = subprocess.run(
            ["bash", "-n"], input=build_script(made, level), text=True, capture_output=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")


def test_level_spawns_monitors_and_captures_the_next_one() -> None:
    made = make_plan(2, poll_interval=3, max_polls=7)
    text = build_script(made, made.levels[0])
    assert "session spawn --agent someone --mode interactive" in text
    assert "'lisa-smoke-l2-r'" in text and "--command '/bin/bash '\"'\"'/w/l2.sh'\"'\"''" in text
    assert "--poll-interval 3 --max-polls 7 --stop-on-waiting false --expect terminal" in text
    assert text.endswith("echo LISA_SMOKE_L1_DONE=1\necho LISA_SMOKE_SESSION=lisa-smoke-l1-r\n")
    assert "spawn" not in build_script(made, made.levels[1])


@pytest.mark.parametrize(
    ("chaos", "count", "level", "words"),
    [
        ("delay", 3, 3, "sleep 3"),
        ("drop-marker", 2, 2, "CHAOS_MARKER_DROPPED"),
        ("fail-child", 3, 2, "exit 7"),
        ("fail-child", 1, 1, "exit 7"),
        ("mixed", 2, 2, "CHAOS_MIXED_MARKER_DROPPED"),
        ("mixed", 2, 1, "sleep 1"),
    ],
)
def test_chaos_changes_the_intended_level(chaos: str, count: int, level: int, words: str) -> None:
    made = make_plan(count, chaos)
    assert words in build_script(made, made.levels[level - 1])
    assert words not in build_script(make_plan(count), made.levels[level - 1])


def test_dropped_marker_is_not_printed() -> None:
    made = make_plan(2, "drop-marker")
    assert "LISA_SMOKE_L2_DONE" not in build_script(made, made.levels[1])
    assert "LISA_SMOKE_L1_DONE" in build_script(made, made.levels[0])


@pytest.mark.parametrize(
    ("chaos", "code", "matched"),
    [
        ("none", "", True),
        ("none", "smoke_monitor_failed", False),
        ("delay", "", True),
        ("drop-marker", "smoke_marker_assertion_failed", True),
        ("drop-marker", "", False),
        ("fail-child", "smoke_monitor_failed", True),
        ("fail-child", "smoke_spawn_failed", False),
    ],
)
def test_chaos_matches_only_its_own_failure(chaos: str, code: str, matched: bool) -> None:
    assert judge_chaos(chaos, code).matched is matched


def test_matrix_has_one_mode_and_prompt_per_line() -> None:
    text = "# comment\n\nbypass | Use ./lisa | twice\nANY|x\n"
    assert parse_matrix(text) == (("bypass", "Use ./lisa | twice"), ("any", "x"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# nothing\n", "no probe rows"),
        ("bypass\n", "line 1: expected mode"),
        ("\nany| \n", "line 2: empty prompt"),
        ("maybe|x\n", "line 1: mode must be"),
    ],
)
def test_invalid_matrix_names_the_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_matrix(text)


def test_profiles_set_prompts_for_nested_and_other_agents() -> None:
    nested = smoke_plan.find_profile("nester", "nester", "m")
    other = smoke_plan.find_profile("other", "nester", "m")
    mixed = smoke_plan.find_profile("mixed", "nester", "m")
    assert nested is not None and (nested.style, nested.model, len(nested.rows)) == ("nested", "m", 3)
    assert other is not None and (other.style, other.model, len(other.rows)) == ("neutral", "", 1)
    assert mixed is not None and [mode for mode, _ in mixed.rows] == ["bypass", "full-auto", "any"]
    assert smoke_plan.find_profile("none", "nester", "m") is None
