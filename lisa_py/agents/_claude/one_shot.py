"""Ask claude one question with the answer on standard output: without tools, nothing is stored."""

from __future__ import annotations

from lisa_py.agents.launch import Facts

_OPTIONAL_FLAGS = ("--no-session-persistence", "--strict-mcp-config", "--disable-slash-commands")


def build_one_shot_command(prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
    known = [flag for flag in _OPTIONAL_FLAGS if flag in facts.flags]
    tools = ["--tools", ""] if "--tools" in facts.flags else []
    mode = ["--permission-mode", "plan"] if "--permission-mode" in facts.flags else []
    return (facts.binary, "-p", *known, *tools, *mode, "--model", model, "--", prompt)
