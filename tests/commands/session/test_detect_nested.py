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


def test_forced_bypass_with_full_auto_is_refused(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--nested-policy", "force", "--agent-args", "--full-auto", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_nested_policy_combination")


CODEX = '#!/bin/sh\n[ "$1" = --version ] && { echo "codex-cli 0.171.0"; exit; }\n[ "$2" = --help ] && exit\n'


def test_shows_the_command_of_the_installed_version(machine: LisaHost) -> None:
    """Also prompt-lint and route, which recommend a start."""
    machine.add_program("codex", CODEX)
    answer = machine.lisa(*PATH, "--prompt", "Use ./lisa for child orchestration.", "--json").json
    assert "allow_login_shell=false" in answer["command"], answer
    assert any("without a login shell" in note for note in answer["notes"])
    assert "without a login shell" in machine.lisa(*PATH, "--prompt", "Use ./lisa for child orchestration.").err
    lint = machine.lisa("session", "prompt-lint", "--prompt", "Count the files.", "--json").json
    route = machine.lisa("session", "route", "--goal", "execution", "--prompt", "Count the files.", "--json").json
    for shown in (lint["command"], route["command"]):
        assert "-s workspace-write" in shown and "--full-auto" not in shown
