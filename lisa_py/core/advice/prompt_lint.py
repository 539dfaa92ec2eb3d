"""Check a prompt before it is sent: its length, markers in it, undetected nesting."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.lifecycle import nesting
from lisa_py.core.lifecycle.launch import ResolvedLaunch

SEVERITIES = ("low", "medium", "high")
_PENALTIES = {
    "prompt_over_budget": 18,
    "prompt_contains_marker": 30,
    "nested_hint_missing": 15,
    "bypass_full_auto_conflict": 25,
    "destructive_command": 30,
}
_RUNNERS = r"(?:lisa|(?:sub-?)?agents?|(?:sub-?)?sessions?|workers?|orchestrat\w+|child(?:ren)?|runs?)"
_NESTED = re.compile(
    rf"\bnest(?:ed|ing)\b[^.!?\n]{{0,60}}\b{_RUNNERS}\b|\b{_RUNNERS}\b[^.!?\n]{{0,60}}\bnest(?:ed|ing)\b", re.IGNORECASE
)
"""Nesting of agents in one sentence; nested loops, lists and folders do not count."""


_DESTRUCTIVE = re.compile(
    r"\brm\s+(?:-\w+\s+|--\S+\s+)*-\w*r\w*\s+(?:-\S+\s+)*(?:/(?=\s|\*|\Z|[`'\"])|~/?(?=\s|\*|\Z)|\$HOME\b)"
    r"|\bmkfs(?:\.\w+)?\s+/dev/\S*|\bdd\s[^\n]*\bof=/dev/\S*"
)
"""Commands that destroy a whole machine or home folder."""


class LintWarning(Struct, frozen=True, kw_only=True):
    """One warning."""

    code: str
    severity: str
    message: str
    markers: tuple[str, ...] | UnsetType = UNSET


class LintReport(Struct, frozen=True, kw_only=True):
    """All warnings, and the score of the prompt."""

    token_estimate: int
    warnings: tuple[LintWarning, ...]
    score: int
    """100: no warning."""

    def count(self, severity: str) -> int:
        return sum(warning.severity == severity for warning in self.warnings)

    def has_severity(self, severity: str) -> bool:
        """Return True if a warning is at least this severe."""
        minimum = SEVERITIES.index(severity)
        return any(SEVERITIES.index(warning.severity) >= minimum for warning in self.warnings)


def lint_prompt(start: ResolvedLaunch, markers: Sequence[str], budget: int) -> LintReport:
    """Check the prompt of a checked launch."""
    tokens = estimate_tokens(start.launch.prompt)
    found = [
        warning
        for warning in (
            _check_length(tokens, budget),
            _check_markers(start, markers),
            _check_nested_hint(start),
            _check_bypass_conflict(start),
            _check_destruction(start),
        )
        if warning is not None
    ]
    score = max(0, 100 - sum(_PENALTIES[warning.code] for warning in found))
    return LintReport(token_estimate=tokens, warnings=tuple(found), score=score)


def estimate_tokens(prompt: str) -> int:
    """Estimate the tokens: four characters each, but one for each ideograph (a word or a part of one)."""
    text = prompt.strip()
    if text.isascii():
        return len(text) // 4 + 1
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return int((len(text) - wide) / 4 + wide) + 1


def _check_length(tokens: int, budget: int) -> LintWarning | None:
    if tokens <= budget:
        return None
    return LintWarning(
        code="prompt_over_budget",
        severity="medium",
        message=f"the prompt takes about {tokens} tokens, {tokens - budget} more than the budget of {budget}",
    )


def _check_markers(start: ResolvedLaunch, markers: Sequence[str]) -> LintWarning | None:
    inside = tuple(marker for marker in markers if marker in start.launch.prompt)
    if not inside:
        return None
    return LintWarning(
        code="prompt_contains_marker",
        severity="high",
        message="the prompt itself holds a marker, so waiting for it ends at once; describe the marker in two parts",
        markers=inside,
    )


def _check_nested_hint(start: ResolvedLaunch) -> LintWarning | None:
    detection, prompt = start.detection, start.launch.prompt
    lifted = detection.auto_bypass or detection.has_bypass_arg
    if not detection.eligible or lifted or detection.has_full_auto_arg or not _NESTED.search(prompt):
        return None
    return LintWarning(
        code="nested_hint_missing",
        severity="medium",
        message=f"the prompt mentions nested agents, but the sandbox stays ({detection.reason});"
        " name lisa in the prompt (--rewrite shows how) or give --nested-policy force",
    )


def _check_destruction(start: ResolvedLaunch) -> LintWarning | None:
    found = _DESTRUCTIVE.search(start.launch.prompt)
    if found is None:
        return None
    cause = f"; its words also take the sandbox away ({start.detection.reason})" if start.detection.auto_bypass else ""
    return LintWarning(
        code="destructive_command",
        severity="high",
        message=f"the prompt names a command that destroys data: {found[0].strip()}{cause}; name the files that may go",
    )


def _check_bypass_conflict(start: ResolvedLaunch) -> LintWarning | None:
    """Return a sandboxed unattended mode in the arguments of a launch that must have no sandbox."""
    detection = start.detection
    if not detection.has_full_auto_arg:
        return None
    bare = msgspec.structs.replace(start.launch, agent_args="")
    wanted = nesting.detect_nesting(start.agent, bare, start.nested_policy, start.nesting_intent).auto_bypass
    if not (wanted or detection.has_bypass_arg):
        return None
    return LintWarning(
        code="bypass_full_auto_conflict",
        severity="high",
        message=f"{start.agent.full_auto_flag} keeps the sandbox, which prevents the nested run; omit it",
    )
