"""Detect prompts that ask an agent to run lisa itself, so that its sandbox must be lifted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.agents.base import Agent
from lisa_py.agents.launch import AgentLaunch
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.quoting import has_flag

WINDOW = 48
"""Characters before and after a hint that distinguish a request from a mention."""


class NestedDetection(Answer):
    """Sandbox decision for a launch, with its reason."""

    eligible: bool = False
    nested_policy: str = "auto"
    nesting_intent: str = "auto"
    auto_bypass: bool = False
    reason: str = ""
    matched_hint: str | UnsetType = UNSET
    has_bypass_arg: bool = False
    has_full_auto_arg: bool = False
    effective_bypass: bool | UnsetType = UNSET
    """True if the command line has the bypass flag; omitted if not."""
    effective_full_auto: bool | UnsetType = UNSET


class Span(Answer):
    """One place in the prompt that looks like a nested run; offsets count characters."""

    hint: str
    start: int
    end: int
    context: str
    """The surrounding prompt, which decides."""
    doc_context: bool
    action_context: bool
    non_executable: bool
    matched_hint: bool
    """True if this hint decided."""


class NestingExplanation(Answer):
    """Reasoning of a detection, hint by hint."""

    eligible: bool
    reason: str
    auto_bypass: bool
    matched_hint: str
    has_bypass_arg: bool
    has_full_auto_arg: bool
    spans: tuple[Span, ...]


class _Hint(Struct, frozen=True):
    text: str
    reason: str
    pattern: re.Pattern[str]


def _build_hint(text: str, reason: str, pattern: str) -> _Hint:
    return _Hint(text, reason, compile_late(pattern, re.IGNORECASE))


# In order of precedence. A longer path or word is the name of another program.
_HINTS = (
    _build_hint(
        "lisa session spawn", "prompt_contains_lisa_session_spawn", r"(?<![\w-])lisa\s+session\s+spawn(?![\w-])"
    ),
    _build_hint("nested lisa", "prompt_contains_nested_lisa", r"(?<![\w-])nested\s+lisa(?![\w-])"),
    _build_hint("./lisa", "prompt_contains_dot_slash_lisa", r"(?<![\w-])\./lisa(?![\w/-]|\.\w)"),
)
_DOC_WORDS = compile_late(
    r"\b(docs?|documentation|readme|strings?|literals?|quote[sd]?|mention(s|ed)?|examples?|appears?|appeared|shown|texts?)\b",
    re.IGNORECASE,
)
_ACTION_WORDS = compile_late(
    r"\b(runs?|running|uses?|used|using|invok(e|es|ed|ing)|spawn(s|ed|ing)?|execut(e|es|ed|ing)"
    r"|launch(es|ed|ing)?|call(s|ed|ing)?)\b",
    re.IGNORECASE,
)


def detect_nesting(agent: Agent, launch: AgentLaunch, policy: str, intent: str) -> NestedDetection:
    """Decide on the sandbox for a launch of this agent.

    Raise LisaError(invalid_nested_policy_combination) if the bypass is forced onto an explicit full-auto.
    """
    eligible = agent.wants_bypass(launch)
    bypass = bool(agent.bypass_flag) and has_flag(launch.agent_args, agent.bypass_flag)
    full_auto = bool(agent.full_auto_flag) and has_flag(launch.agent_args, agent.full_auto_flag)
    if policy == "force" and eligible and full_auto and not bypass:
        raise LisaError(
            "invalid_nested_policy_combination",
            f"--nested-policy force cannot be combined with {agent.full_auto_flag} in --agent-args; leave one out",
        )
    reason, hint = _decide(eligible, bypass, full_auto, policy, intent, launch.prompt)
    return NestedDetection(
        eligible=eligible,
        nested_policy=policy,
        nesting_intent=intent,
        auto_bypass=bool(hint),
        reason=reason,
        matched_hint=hint or UNSET,
        has_bypass_arg=bypass,
        has_full_auto_arg=full_auto,
    )


def _decide(
    eligible: bool, bypass: bool, full_auto: bool, policy: str, intent: str, prompt: str
) -> tuple[str, str]:  # reason, matched hint; a hint means the bypass is added
    if policy == "force":
        if not eligible:
            return "nested_policy_force_not_applicable", ""
        return "nested_policy_force", "nested-policy:force"
    if not eligible:
        return "not_codex_exec", ""
    if bypass:
        return "agent_args_has_bypass", ""
    if policy == "off":
        return "nested_policy_off", ""
    if full_auto:
        return "agent_args_has_full_auto", ""
    if intent == "nested":
        return "nesting_intent_nested", "nesting-intent:nested"
    if intent == "neutral":
        return "nesting_intent_neutral", ""
    for hint in _HINTS:
        if any(not span.non_executable for span in _find_spans(prompt, hint)):
            return hint.reason, hint.text
    return "no_nested_hint", ""


def is_nested(detection: NestedDetection, prompt: str) -> bool:
    """Return True if the agent is to call lisa itself, in a sandbox or not."""
    if detection.auto_bypass or detection.nesting_intent == "nested":
        return True
    if detection.nested_policy == "off" or detection.nesting_intent == "neutral":
        return False
    return any(not span.non_executable for hint in _HINTS for span in _find_spans(prompt, hint))


def build_override(policy: str, intent: str) -> NestedDetection:
    """Return the decision for a custom command, which is never changed."""
    return NestedDetection(nested_policy=policy, nesting_intent=intent, reason="custom_command_override")


def explain_detection(detection: NestedDetection, prompt: str) -> NestingExplanation:
    """Return every hint in the prompt with the words that made it a request or a mention."""
    matched = detection.matched_hint or ""
    spans = [span for hint in _HINTS for span in _find_spans(prompt, hint, matched)]
    return NestingExplanation(
        eligible=detection.eligible,
        reason=detection.reason,
        auto_bypass=detection.auto_bypass,
        matched_hint=matched,
        has_bypass_arg=detection.has_bypass_arg,
        has_full_auto_arg=detection.has_full_auto_arg,
        spans=tuple(sorted(spans, key=lambda span: (span.start, span.end))),
    )


def _find_spans(prompt: str, hint: _Hint, matched: str = "") -> list[Span]:
    return [_build_span(prompt, hint, found.start(), found.end(), matched) for found in hint.pattern.finditer(prompt)]


def _build_span(prompt: str, hint: _Hint, start: int, end: int, matched: str) -> Span:
    low, high = max(0, start - WINDOW), min(len(prompt), end + WINDOW)
    # the hint's own words (it may hold "spawn") are neither order nor mention
    doc = _has_word(_DOC_WORDS, prompt, low, start) or _has_word(_DOC_WORDS, prompt, end, high)
    action = _has_word(_ACTION_WORDS, prompt, low, start) or _has_word(_ACTION_WORDS, prompt, end, high)
    return Span(
        hint=hint.text,
        start=start,
        end=end,
        context=prompt[low:high],
        doc_context=doc,
        action_context=action,
        non_executable=doc and not action,
        matched_hint=hint.text == matched,
    )


def _has_word(pattern: re.Pattern[str], prompt: str, low: int, high: int) -> bool:
    """Return True if a whole word is between the two; a word cut by the window (beca-use) does not count."""
    return any(found.end() <= high for found in pattern.finditer(prompt, low, min(len(prompt), high + WINDOW)))


_NESTING_PHRASES = (
    "Use ./lisa for child orchestration.",
    "Run lisa session spawn for child workers.",
    "Create nested lisa inside lisa inside lisa and report markers.",
)
_CONTINUE_PROMPT = "Continue with the existing task."


def suggest_rewrites(prompt: str, detection: NestedDetection) -> Sequence[str]:
    """Return prompt wordings that are detected as nested, best first."""
    task = prompt.strip() or _CONTINUE_PROMPT
    if detection.auto_bypass or detection.has_bypass_arg:
        return tuple(dict.fromkeys((task, f"{_NESTING_PHRASES[0]} {_CONTINUE_PROMPT}")))
    return tuple(f"{lead} {task}" for lead in _NESTING_PHRASES)
