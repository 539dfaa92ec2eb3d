"""session detect-nested."""

from __future__ import annotations

from tests.lisa_host import LisaHost

PATH = ("session", "detect-nested")


def test_json_has_decision_and_command(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--prompt", "Use ./lisa for child orchestration.", "--json").json
    assert answer["agent"], answer["mode"] == ("codex", "exec")
    assert answer["nestedDetection"]["reason"] == "prompt_contains_dot_slash_lisa"
    assert answer["effectiveAgentArgs"] == "--dangerously-bypass-approvals-and-sandbox"
    assert "rewrites" not in answer and "why" not in answer


def test_answers_without_command_if_prompt_is_missing(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--json").json
    assert "command" not in answer and answer["nestedDetection"]["reason"] == "no_nested_hint"


def test_why_and_rewrite_explain_and_propose(machine: LisaHost) -> None:
    words = (*PATH, "--prompt", "The string './lisa' appears in docs only.", "--why", "--rewrite")
    answer = machine.lisa(*words, "--json").json
    assert answer["why"]["spans"][0]["nonExecutable"] is True and len(answer["rewrites"]) == 3
    lines = machine.lisa(*words).out.splitlines()
    assert lines[0] == "eligible=true autoBypass=false reason=no_nested_hint matchedHint="
    assert lines[2].startswith("why: mention of ./lisa") and lines[3] == "rewrites:"


def test_a_forced_bypass_and_full_auto_exclude_each_other(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--nested-policy", "force", "--agent-args", "--full-auto", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_nested_policy_combination")
