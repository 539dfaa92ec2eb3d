"""Preflight's look at lisa itself: what callers rely on in flags, markers, cursors and nested runs still holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import MODE_ALIASES, MODES
from lisa_py.core.life import launch
from lisa_py.core.relay import since
from lisa_py.core.watch import rules


class SelfCheck(Struct, frozen=True, kw_only=True):
    """One promise, tried out."""

    name: str
    ok: bool
    detail: str | UnsetType = UNSET


Outcome = tuple[bool, str]


def _mode(word: str) -> Outcome:
    mode = launch.one_of("mode", word, MODES, MODE_ALIASES)
    return mode == "exec", f"mode={mode}"


def _expect(expect: str, marker: str) -> Outcome:
    found = rules.checked(rules.Rules(expect=expect, until_marker=marker))
    return found.expect == "marker" and found.until_marker == marker, f"expect={found.expect}"


def _guard() -> Outcome:
    try:
        rules.checked(rules.Rules(expect="marker"))
    except LisaError as problem:
        return problem.code == "expect_marker_requires_until_marker", f"refused: {problem.message}"
    return False, "accepted without --until-marker"


def _offset(text: str, wanted: int) -> Outcome:
    found = since.parse(text)
    return found.offset == wanted, f"offset={found.offset}"


def _time(text: str, wanted: float) -> Outcome:
    found = since.parse(text)
    return found.time == wanted, f"time={found.time}"


def _nested(prompt: str, intent: str, *, bypass: bool) -> Outcome:
    """What the command line of an unattended run of the agent with the sandbox would hold."""
    agent = agents.get(agents.DEFAULT_NESTED)
    request = launch.Request(agent=agent.name, mode="exec", prompt=prompt, nesting_intent=intent)
    found = launch.resolve(request).effective()
    lifted, kept = bool(found.effective_bypass), bool(found.effective_full_auto)
    return (lifted, kept) == (bypass, not bypass), f"reason={found.reason}"


_CHECKS: tuple[tuple[str, bool, Callable[[], Outcome]], ...] = (
    ("mode_alias_execution", False, lambda: _mode("execution")),
    ("mode_alias_non_interactive", False, lambda: _mode("non-interactive")),
    ("monitor_expect_marker_parse", False, lambda: _expect("marker", "DONE-1")),
    ("monitor_expect_marker_guard", True, _guard),
    ("monitor_expect_marker_until_marker", False, lambda: _expect("marker", "M")),
    ("capture_delta_offset_parse", True, lambda: _offset("42", 42)),
    ("capture_delta_unix_timestamp_parse", False, lambda: _time("@0", 0.0)),
    ("capture_delta_rfc3339_parse", False, lambda: _time("2026-02-21T00:00:00Z", 1771632000.0)),
    ("nested_prompt_auto_bypass", True, lambda: _nested("Use ./lisa for child orchestration.", "auto", bypass=True)),
    ("nested_prompt_neutral_full_auto", False, lambda: _nested("No nesting requested here.", "auto", bypass=False)),
    (
        "nested_prompt_quote_guard",
        True,
        lambda: _nested("The string './lisa' appears in docs only.", "auto", bypass=False),
    ),
    ("nested_intent_nested_bypass", True, lambda: _nested("Work through the list.", "nested", bypass=True)),
)
"""Name, whether it is one of the few that --fast keeps, and the trial."""


def run(*, fast: bool) -> list[SelfCheck]:
    """Every promise, or the ones that matter most."""
    return [_tried(name, trial) for name, kept, trial in _CHECKS if kept or not fast]


def names() -> Sequence[str]:
    return [name for name, _, _ in _CHECKS]


def _tried(name: str, trial: Callable[[], Outcome]) -> SelfCheck:
    try:
        fine, detail = trial()
    except LisaError as problem:
        fine, detail = False, f"{problem.code}: {problem.message}"
    return SelfCheck(name=name, ok=fine, detail=detail)
