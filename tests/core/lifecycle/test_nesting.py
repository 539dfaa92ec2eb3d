"""Nested detection: the truth table of the contract, and word boundaries in place of substrings."""

from __future__ import annotations

import pytest

from lisa_py.agents.base import Agent
from lisa_py.agents.launch import AgentLaunch
from lisa_py.contract.errors import LisaError
from lisa_py.core.lifecycle import nesting

BYPASS, FULL_AUTO = "--no-box", "--auto"


class Boxed(Agent):
    """An agent with a sandbox."""

    name = "boxed"
    bypass_flag = BYPASS
    full_auto_flag = FULL_AUTO

    def wants_bypass(self, launch: AgentLaunch) -> bool:
        return launch.mode == "exec"


def detect(
    prompt: str = "", *, mode: str = "exec", args: str = "", policy: str = "auto", intent: str = "auto"
) -> nesting.NestedDetection:
    return nesting.detect_nesting(Boxed(), AgentLaunch(mode=mode, prompt=prompt, agent_args=args), policy, intent)


@pytest.mark.parametrize(
    ("given", "reason", "bypass"),
    [
        ({"mode": "interactive", "prompt": "Use ./lisa"}, "not_codex_exec", False),
        ({"args": f"-m x {BYPASS}", "prompt": "Use ./lisa"}, "agent_args_has_bypass", False),
        ({"args": FULL_AUTO, "intent": "nested"}, "agent_args_has_full_auto", False),
        ({"intent": "nested"}, "nesting_intent_nested", True),
        ({"intent": "neutral", "prompt": "Use ./lisa"}, "nesting_intent_neutral", False),
        ({"prompt": "Run lisa session spawn for it"}, "prompt_contains_lisa_session_spawn", True),
        ({"prompt": "Build a nested lisa chain and report markers."}, "prompt_contains_nested_lisa", True),
        ({"prompt": "Use ./lisa for child orchestration."}, "prompt_contains_dot_slash_lisa", True),
        ({"prompt": "NESTED LISA, please"}, "prompt_contains_nested_lisa", True),
        ({"prompt": "No nesting requested here."}, "no_nested_hint", False),
        ({"prompt": "Use lisa inside of lisa inside as well."}, "no_nested_hint", False),
        ({"policy": "off", "intent": "nested", "prompt": "Use ./lisa"}, "nested_policy_off", False),
        ({"policy": "off", "args": FULL_AUTO}, "nested_policy_off", False),
        ({"policy": "off", "args": BYPASS}, "agent_args_has_bypass", False),
        ({"policy": "force"}, "nested_policy_force", True),
        ({"policy": "force", "args": f"{BYPASS} {FULL_AUTO}"}, "nested_policy_force", True),
        ({"policy": "force", "mode": "interactive"}, "nested_policy_force_not_applicable", False),
    ],
)
def test_the_first_rule_that_applies_decides(given: dict[str, str], reason: str, bypass: bool) -> None:
    found = detect(**given)
    assert (found.reason, found.auto_bypass) == (reason, bypass)


@pytest.mark.parametrize(
    ("given", "nested"),
    [
        ({"prompt": "Use ./lisa"}, True),
        ({"mode": "interactive", "prompt": "Use ./lisa"}, True),
        ({"mode": "interactive", "intent": "nested"}, True),
        ({"args": BYPASS, "prompt": "Use ./lisa"}, True),
        ({"args": BYPASS, "prompt": "hi"}, False),
        ({"policy": "force"}, True),
        ({"policy": "off", "prompt": "Use ./lisa"}, False),
        ({"intent": "neutral", "prompt": "Use ./lisa"}, False),
        ({"prompt": "hi"}, False),
    ],
)
def test_agent_that_calls_lisa_is_nested(given: dict[str, str], nested: bool) -> None:
    assert nesting.is_nested(detect(**given), given.get("prompt", "")) is nested


def test_matched_rule_is_named() -> None:
    assert detect("Use ./lisa").matched_hint == "./lisa"
    assert detect(intent="nested").matched_hint == "nesting-intent:nested"
    assert detect(policy="force").matched_hint == "nested-policy:force"
    assert not detect("hello").matched_hint


def test_the_bypass_cannot_be_forced_onto_full_auto() -> None:
    with pytest.raises(LisaError) as problem:
        detect(policy="force", args=FULL_AUTO)
    assert problem.value.code == "invalid_nested_policy_combination"


@pytest.mark.parametrize(
    "prompt",
    [
        "The string './lisa' appears in docs only.",
        "The docs mention lisa session spawn.",  # its own "spawn" is no order
        "See the documentation: ./lisa is useful because it is an example",  # use-ful, beca-use
    ],
)
def test_mention_does_not_disable_the_sandbox(prompt: str) -> None:
    assert detect(prompt).reason == "no_nested_hint"


@pytest.mark.parametrize(
    "prompt",
    [
        "In this context of ./lisa go on",  # con-text is no word of documentation
        "Stringent tests, then ./lisa",
        "The docs say how to use ./lisa",
        "docs mention ./lisa" + " and so on" * 9 + " now start ./lisa",  # one of two is an order
    ],
)
def test_only_whole_words_match(prompt: str) -> None:
    assert detect(prompt).reason == "prompt_contains_dot_slash_lisa"


@pytest.mark.parametrize(
    "prompt", ["Run ./lisabeth", "Run ./lisa-old", "cat ./lisa/README", "edit ./lisa.py", "a./lisa"]
)
def test_other_programs_and_paths_are_ignored(prompt: str) -> None:
    assert detect(prompt).reason == "no_nested_hint"


def test_hint_may_end_a_sentence() -> None:
    assert detect("Start ./lisa.").auto_bypass
    assert detect('Start "./lisa", then wait').auto_bypass


def test_why_lists_every_match_in_order() -> None:
    prompt = "The string './lisa' appears in docs only." + " " * 60 + "Now run lisa session spawn."
    why = nesting.explain_detection(detect(prompt), prompt)
    assert [(span.hint, span.non_executable, span.matched_hint) for span in why.spans] == [
        ("./lisa", True, False),
        ("lisa session spawn", False, True),
    ]
    for span in why.spans:
        assert prompt[span.start : span.end] == span.hint and span.hint in span.context


def test_rewrites_call_for_nesting_and_keep_the_task() -> None:
    for line in nesting.suggest_rewrites("Mend the build.", detect("Mend the build.")):
        assert detect(line).auto_bypass and line.endswith("Mend the build.")
    assert nesting.suggest_rewrites("Use ./lisa now", detect("Use ./lisa now"))[0] == "Use ./lisa now"
    assert all(line.strip() for line in nesting.suggest_rewrites("", detect()))
