"""Ask codex one question with the answer on standard output: read-only, nothing is stored."""

from __future__ import annotations

from lisa_py.agents.launch import Facts

_OPTIONAL_FLAGS = ("--ephemeral", "--ignore-rules")


def build_one_shot_command(prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
    known = [flag for flag in _OPTIONAL_FLAGS if f"exec {flag}" in facts.flags]
    return (
        facts.binary,
        "exec",
        "-s",
        "read-only",
        "--skip-git-repo-check",
        "-c",
        "check_for_update_on_startup=false",
        *known,
        "--model",
        model,
        "--",
        prompt,
    )
