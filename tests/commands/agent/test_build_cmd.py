"""agent build-cmd."""

from __future__ import annotations

from tests.lisa_host import LisaHost

PATH = ("agent", "build-cmd")


def test_the_text_is_the_command_line(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--agent", "codex", "--mode", "exec", "--prompt", "Run the tests")
    assert (answer.code, answer.out) == (0, "codex exec 'Run the tests' --full-auto --skip-git-repo-check\n")


def test_json_has_the_nesting_decision(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--agent=codex", "--mode=exec", "--prompt=Use ./lisa", "--json").json
    assert answer["nestedDetection"]["autoBypass"] is True
    assert answer["command"].endswith(" --dangerously-bypass-approvals-and-sandbox")
    assert (answer["projectRoot"], answer["nestedPolicy"]) == (str(machine.project), "auto")


def test_unbuildable_command_line_has_one_code(machine: LisaHost) -> None:
    for words in (
        ("--mode", "exec"),
        ("--mode", "batch"),
        ("--agent", "codex", "--mode", "exec", "--prompt", "x", "--agent-args",
         "--full-auto --dangerously-bypass-approvals-and-sandbox"),
    ):  # fmt: skip
        answer = machine.lisa(*PATH, *words, "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "agent_command_build_failed")


def test_default_agent_skips_permissions_by_default(machine: LisaHost) -> None:
    assert machine.lisa(*PATH).out == "claude --dangerously-skip-permissions\n"
    assert machine.lisa(*PATH, "--no-dangerously-skip-permissions").out == "claude\n"


CODEX = """#!/bin/sh
case "$*" in
--version) echo codex-cli 0.171.0 ;;
*--help) echo "      --json" ;;
app-server*) exit 2 ;;
esac
"""


def test_command_and_notes_are_those_of_the_installed_agent(machine: LisaHost) -> None:
    machine.add_program("codex", CODEX)
    words = ("--agent", "codex", "--mode", "exec", "--prompt", "Run the tests")
    shown = "codex exec 'Run the tests' -s workspace-write --skip-git-repo-check"
    assert machine.lisa(*PATH, *words).out == shown + "\n"
    built = machine.lisa(*PATH, *words, "--json").json
    dry = machine.lisa("session", "spawn", "--session", "lisa-x", *words, "--dry-run", "--json").json
    for answer in (built, dry):
        assert answer["command"] == shown
        assert any("no --full-auto" in note for note in answer["notes"])
    spawned = machine.lisa("session", "spawn", "--session", "lisa-x", *words, "--json").json
    assert spawned["command"] == shown


def test_missing_agent_is_noted(machine: LisaHost) -> None:
    machine.env["PATH"] = str(machine.bin)
    assert "not on PATH" in machine.lisa(*PATH, "--json").json["notes"][0]
