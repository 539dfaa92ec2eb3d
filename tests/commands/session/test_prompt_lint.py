"""session prompt-lint."""

from __future__ import annotations

import pytest

from tests.lisa_host import LisaHost


def test_good_prompt_has_no_warning(machine: LisaHost) -> None:
    answer = machine.lisa("session", "prompt-lint", "--prompt", " Use ./lisa for child orchestration. ", "--json")
    assert answer.code == 0
    result = answer.json
    assert (result["score"], result["warnings"], result["strict"], result["highSeverityCount"]) == (100, [], False, 0)
    assert (result["agent"], result["mode"], result["budget"]) == ("codex", "exec", 320)
    assert result["prompt"] == " Use ./lisa for child orchestration. "
    assert result["nestedDetection"]["autoBypass"] is True
    assert "--dangerously-bypass-approvals-and-sandbox" in result["command"]
    assert "rewrites" not in result


def test_strict_fails_on_severe_warnings_by_default(machine: LisaHost) -> None:
    words = ("session", "prompt-lint", "--prompt", "too long", "--budget", "1", "--json")
    assert machine.lisa(*words, "--strict").code == 0
    medium = machine.lisa(*words, "--fail-on", "medium")
    assert (medium.code, medium.json["errorCode"]) == (1, "prompt_lint_strict_failed")
    severe = machine.lisa(*words, "--markers", "a, long", "--strict")
    assert (severe.code, severe.json["warnings"][1]["markers"]) == (1, ["long"])


def test_text_is_score_and_prompt_with_warnings_on_stderr(machine: LisaHost) -> None:
    words = ("session", "prompt-lint", "--prompt", "fix it", "--rewrite", "--budget", "1")
    answer = machine.lisa(*words)
    assert answer.out == "score=82 warnings=1\nUse ./lisa for child orchestration. fix it\n"
    assert answer.err.startswith("prompt_over_budget (medium): ")


@pytest.mark.parametrize(
    "command", ["rm -rf /", "rm -fr ~", "rm -r -f $HOME", "dd if=x of=/dev/sda", "mkfs.ext4 /dev/sda"]
)
def test_destructive_command_is_a_severe_warning(machine: LisaHost, command: str) -> None:
    prompt = f"Use ./lisa to spawn and {command} and print X"
    answer = machine.lisa("session", "prompt-lint", "--prompt", prompt, "--strict", "--json")
    (warning,) = answer.json["warnings"]
    assert (answer.code, warning["code"], warning["severity"]) == (1, "destructive_command", "high")
    assert command in warning["message"] and "sandbox" in warning["message"]


def test_removal_inside_the_project_is_no_warning(machine: LisaHost) -> None:
    words = ("session", "prompt-lint", "--prompt", "rm -rf build /tmp/x and go on", "--json")
    assert machine.lisa(*words).json["warnings"] == []


def test_rewrites_are_sorted_by_score_in_json(machine: LisaHost) -> None:
    result = machine.lisa("session", "prompt-lint", "--prompt", "fix it", "--rewrite", "--json").json
    assert result["recommendedPrompt"] == result["rewrites"][0] == "Use ./lisa for child orchestration. fix it"
    assert len(result["rewrites"]) == 3


def test_prompt_is_read_from_file_or_pipe(machine: LisaHost) -> None:
    (machine.project / "p.txt").write_text("two\nlines\n")
    assert machine.lisa("session", "prompt-lint", "--prompt-file", "p.txt", "--json").json["prompt"] == "two\nlines"
    assert (
        machine.lisa("session", "prompt-lint", "--prompt-file", "-", "--json", stdin="piped").json["prompt"] == "piped"
    )


def test_shows_the_command_line_of_the_agent(machine: LisaHost) -> None:
    words = ("session", "prompt-lint", "--prompt", "x", "--agent-args", "--search", "--model", "codex-spark", "--json")
    result = machine.lisa(*words).json
    assert result["effectiveAgentArgs"] == "--search --model 'gpt-5.3-codex-spark'"
    assert result["model"] == "gpt-5.3-codex-spark"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing_required_flag"),
        (("--prompt", "x", "--prompt-file", "y"), "prompt_conflict"),
        (("--prompt-file", "nowhere"), "invalid_prompt_file"),
        (("--prompt", "x", "--agent", "nobody"), "invalid_agent"),
        (("--prompt", "x", "--mode", "sideways"), "invalid_mode"),
        (("--prompt", "x", "--nested-policy", "maybe"), "invalid_nested_policy"),
        (("--prompt", "x", "--nesting-intent", "maybe"), "invalid_nesting_intent"),
        (("--prompt", "x", "--agent", "claude", "--model", "m"), "invalid_model_configuration"),
        (("--prompt", "x", "--model", "a\tb"), "invalid_model"),
        (
            ("--prompt", "x", "--nested-policy", "force", "--agent-args=--full-auto"),
            "invalid_nested_policy_combination",
        ),
        (("--prompt", "x", "--budget", "0"), "invalid_budget"),
        (("--prompt", "x", "--fail-on", "low"), "invalid_fail_on"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "prompt-lint", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
