"""Plan of a smoke run: names, markers and scripts of the levels, chaos modes and their expected failures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from msgspec import Struct

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.command_line import ShellVariable
from lisa_py.contract.quoting import quote_posix

_PROGRAM, _ROOT = ShellVariable("BIN"), ShellVariable("ROOT")
LEVELS_MAX = 4
CHAOS = ("none", "delay", "drop-marker", "fail-child", "mixed")
STYLES = ("none", "dot-slash", "spawn", "nested", "neutral")
STYLE_PROMPTS: Mapping[str, tuple[str, bool]] = {
    "dot-slash": ("Use ./lisa for all child orchestration.", True),
    "spawn": ("Run lisa session spawn inside the spawned agent.", True),
    "nested": ("Build a nested lisa chain and report markers.", True),
    "neutral": ("No nesting requested here.", False),
}
"""The prompt of a style, and True if it must be detected as nested."""
EXPECTED_FAILURES: Mapping[str, tuple[str, ...]] = {
    "drop-marker": ("smoke_marker_assertion_failed",),
    "fail-child": ("smoke_monitor_failed", "smoke_unexpected_final_state"),
    "mixed": ("smoke_marker_assertion_failed", "smoke_monitor_failed"),
}
"""Expected error codes of the chaos modes; the other modes must not fail."""


class SmokeLevel(Struct, frozen=True, kw_only=True):
    """One level of the chain: a session whose script spawns the next level."""

    number: int
    session: str
    marker: str
    script: str
    """Path."""


class SmokePlan(Struct, frozen=True, kw_only=True):
    """The whole chain, outermost first."""

    run_id: str
    folder: str
    levels: tuple[SmokeLevel, ...]
    agent: str
    """Agent that names the sessions; no agent is run."""
    project_root: str
    program: str
    """Path of the lisa launcher for the panes."""
    chaos: str = "none"
    model: str = ""
    poll_interval: int = 1
    max_polls: int = 180

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(level.marker for level in self.levels)

    @property
    def sessions(self) -> tuple[str, ...]:
        return tuple(level.session for level in self.levels)


def build_levels(run_id: str, folder: str, count: int) -> tuple[SmokeLevel, ...]:
    return tuple(
        SmokeLevel(
            number=number,
            session=f"lisa-smoke-l{number}-{run_id}",
            marker=f"LISA_SMOKE_L{number}_DONE=1",
            script=os.path.join(folder, f"l{number}.sh"),
        )
        for number in range(1, count + 1)
    )


def build_script(plan: SmokePlan, level: SmokeLevel) -> str:
    """Return the script of a level: spawn, monitor and capture the next level, then print its marker."""
    lines = [
        "#!/usr/bin/env bash",
        "set -euo pipefail",
        f"BIN={quote_posix(plan.program)}",
        f"ROOT={quote_posix(plan.project_root)}",
    ]
    if level.number < len(plan.levels):
        lines += _child_commands(plan, plan.levels[level.number])
    return "\n".join([*lines, *_final_commands(plan, level)]) + "\n"


def _child_commands(plan: SmokePlan, child: SmokeLevel) -> list[str]:
    spawn = command_line.build(
        "session spawn",
        binary=_PROGRAM,
        agent=plan.agent,
        mode="interactive",
        project_root=_ROOT,
        session=child.session,
        command=f"/bin/bash {quote_posix(child.script)}",
        model=plan.model,
        json=True,
    )
    monitor = command_line.build(
        "session monitor",
        binary=_PROGRAM,
        session=child.session,
        project_root=_ROOT,
        poll_interval=plan.poll_interval,
        max_polls=plan.max_polls,
        stop_on_waiting="false",
        expect="terminal",
        json=True,
    )
    lines = capture_lines(child.number)
    capture = command_line.build(
        "session capture", binary=_PROGRAM, session=child.session, project_root=_ROOT, raw=True, lines=lines
    )
    return [str(spawn), str(monitor), str(capture)]


def capture_lines(number: int) -> int:
    """Return the number of pane lines the parent captures: a level repeats the output of all levels below it."""
    return 120 + 80 * (LEVELS_MAX - number)


def _final_commands(plan: SmokePlan, level: SmokeLevel) -> list[str]:
    """Return the last commands of a level, marker and name, changed by the chaos mode."""
    number, deepest = level.number, len(plan.levels)
    marker = f"echo {level.marker}"
    named = f"echo LISA_SMOKE_SESSION={level.session}"
    if plan.chaos == "delay":
        return [marker, named, f"sleep {number}"]
    if plan.chaos == "drop-marker" and number == deepest:
        return [named, "echo LISA_SMOKE_CHAOS_MARKER_DROPPED=1"]
    if plan.chaos == "fail-child" and number == max(1, deepest - 1):
        return [marker, named, "echo LISA_SMOKE_CHAOS_FAIL_CHILD=1", "exit 7"]
    if plan.chaos == "mixed":
        marker_line = "echo LISA_SMOKE_CHAOS_MIXED_MARKER_DROPPED=1" if number == deepest else marker
        return [f"sleep {(number - 1) % 2 + 1}", marker_line, named]
    return [marker, named]


class ChaosResult(Answer):
    """Expected and observed failure of a chaos mode."""

    expected_failure: bool
    expected_error_codes: tuple[str, ...]
    observed_failure: bool
    observed_error_code: str
    matched: bool


def judge_chaos(chaos: str, error_code: str) -> ChaosResult:
    expected = EXPECTED_FAILURES.get(chaos, ())
    matched = error_code in expected if expected else not error_code
    return ChaosResult(
        expected_failure=bool(expected),
        expected_error_codes=expected,
        observed_failure=bool(error_code),
        observed_error_code=error_code,
        matched=matched,
    )


# -- prompts ------------------------------------------------------------------------------------------------------

MATRIX_MODES = ("bypass", "full-auto", "any")


class SmokeProfile(Struct, frozen=True, kw_only=True):
    """Values that a profile supplies where the user gave none."""

    style: str
    rows: tuple[tuple[str, str], ...]
    model: str = ""


_NESTED_ROW = ("bypass", "Use ./lisa for child orchestration.")
_NEUTRAL_ROW = ("full-auto", "No nesting requested here.")


def find_profile(name: str, agent: str, model: str) -> SmokeProfile | None:
    """Return the profile of an agent, or `mixed`; `agent` is used for nested detection, with its default model."""
    if name == agent:
        rows = (_NESTED_ROW, ("bypass", "Run lisa session spawn for child workers."), _NEUTRAL_ROW)
        return SmokeProfile(style="nested", rows=rows, model=model)
    if name == "mixed":
        rows = (_NESTED_ROW, _NEUTRAL_ROW, ("any", "Use lisa inside of lisa inside as well."))
        return SmokeProfile(style="nested", rows=rows, model=model)
    return None if name in ("", "none") else SmokeProfile(style="neutral", rows=(_NEUTRAL_ROW,))


def parse_matrix(text: str) -> tuple[tuple[str, str], ...]:
    """Return (mode, prompt) of every row of a matrix file, without blank lines and `#` comments. Raise ValueError."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        mode, bar, prompt = line.partition("|")
        mode, prompt = mode.strip().lower(), prompt.strip()
        if not bar:
            raise ValueError(f"invalid matrix line {number}: expected mode|prompt")
        if not prompt:
            raise ValueError(f"invalid matrix line {number}: empty prompt")
        if mode not in MATRIX_MODES:
            raise ValueError(f"invalid matrix line {number}: mode must be {'|'.join(MATRIX_MODES)}")
        rows.append((mode, prompt))
    if not rows:
        raise ValueError("matrix file has no probe rows")
    return tuple(rows)


def format_matrix(rows: Sequence[tuple[str, str]]) -> str:
    return "".join(f"{mode}|{prompt}\n" for mode, prompt in rows)
