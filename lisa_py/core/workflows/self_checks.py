"""Check lisa itself: flags, markers, cursors and nested runs behave as callers expect."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import MODE_ALIASES, MODES
from lisa_py.core.lifecycle import launch
from lisa_py.core.output import since
from lisa_py.core.wait import stop_rules


class SelfCheck(Struct, frozen=True, kw_only=True):
    """Result of one check."""

    name: str
    ok: bool
    detail: str | UnsetType = UNSET


CheckOutcome = tuple[bool, str]


def _check_mode(word: str) -> CheckOutcome:
    mode = launch.parse_choice("mode", word, MODES, MODE_ALIASES)
    return mode == "exec", f"mode={mode}"


def _check_expect(expect: str, marker: str) -> CheckOutcome:
    found = stop_rules.check_rules(stop_rules.StopRules(expect=expect, until_marker=marker))
    return found.expect == "marker" and found.until_marker == marker, f"expect={found.expect}"


def _check_marker_guard() -> CheckOutcome:
    try:
        stop_rules.check_rules(stop_rules.StopRules(expect="marker"))
    except LisaError as problem:
        return problem.code == "expect_marker_requires_until_marker", f"refused: {problem.message}"
    return False, "accepted without --until-marker"


def _check_offset(text: str, wanted: int) -> CheckOutcome:
    found = since.parse(text)
    return found.offset == wanted, f"offset={found.offset}"


def _check_time(text: str, wanted: float) -> CheckOutcome:
    found = since.parse(text)
    return found.time == wanted, f"time={found.time}"


def _check_nested(prompt: str, intent: str, *, bypass: bool) -> CheckOutcome:
    """Check that an unattended run of the sandboxed agent lifts the sandbox only if `bypass` is set."""
    agent = agents.get(agents.DEFAULT_NESTED)
    request = launch.LaunchRequest(agent=agent.name, mode="exec", prompt=prompt, nesting_intent=intent)
    found = launch.resolve_launch(request).effective_detection()
    lifted, kept = bool(found.effective_bypass), bool(found.effective_full_auto)
    return (lifted, kept) == (bypass, not bypass), f"reason={found.reason}"


_CHECKS: tuple[tuple[str, bool, Callable[[], CheckOutcome]], ...] = (
    ("mode_alias_execution", False, lambda: _check_mode("execution")),
    ("mode_alias_non_interactive", False, lambda: _check_mode("non-interactive")),
    ("monitor_expect_marker_parse", False, lambda: _check_expect("marker", "DONE-1")),
    ("monitor_expect_marker_guard", True, _check_marker_guard),
    ("monitor_expect_marker_until_marker", False, lambda: _check_expect("marker", "M")),
    ("capture_delta_offset_parse", True, lambda: _check_offset("42", 42)),
    ("capture_delta_unix_timestamp_parse", False, lambda: _check_time("@0", 0.0)),
    ("capture_delta_rfc3339_parse", False, lambda: _check_time("2026-02-21T00:00:00Z", 1771632000.0)),
    (
        "nested_prompt_auto_bypass",
        True,
        lambda: _check_nested("Use ./lisa for child orchestration.", "auto", bypass=True),
    ),
    (
        "nested_prompt_neutral_full_auto",
        False,
        lambda: _check_nested("No nesting requested here.", "auto", bypass=False),
    ),
    (
        "nested_prompt_quote_guard",
        True,
        lambda: _check_nested("The string './lisa' appears in docs only.", "auto", bypass=False),
    ),
    ("nested_intent_nested_bypass", True, lambda: _check_nested("Work through the list.", "nested", bypass=True)),
)
"""Name, True if --fast includes it, and the check."""


def run_self_checks(*, fast: bool) -> list[SelfCheck]:
    """Run all checks, or the subset of --fast."""
    return [_run_check(name, trial) for name, kept, trial in _CHECKS if kept or not fast]


def names() -> Sequence[str]:
    return [name for name, _, _ in _CHECKS]


def _run_check(name: str, check: Callable[[], CheckOutcome]) -> SelfCheck:
    try:
        fine, detail = check()
    except LisaError as problem:
        fine, detail = False, f"{problem.code}: {problem.message}"
    return SelfCheck(name=name, ok=fine, detail=detail)
