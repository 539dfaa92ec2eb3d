"""Remove start-up lines from a pane and keep answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py import agents
from lisa_py.contract.records import SessionMeta
from lisa_py.core.output import noise

CODEX_HEADER = [
    "OpenAI Codex v0.98.0",
    "--------",
    "workdir: /tmp/demo",
    "model: gpt-5",
    "--------",
    "user",
    "do the thing",
]


def remaining_lines(
    text: str, *, agent: str = "codex", startup: bool = True, prompt: str = "do the thing"
) -> list[str]:
    lines = text.split("\n")
    stripped = noise.filter_noise(lines, [agents.get(agent)], prompt=prompt, startup=startup)
    assert stripped.removed == len(lines) - sum(stripped.keep)
    return stripped.apply(lines)


@pytest.mark.parametrize(
    "line",
    [
        "mcp: github starting",
        "MCP: github ready",
        "mcp startup: failed: github",
        "⚠ MCP startup incomplete (failed: github)",
        "⚠ Under-development features enabled: x",
        "2026-01-01T00:00:00Z ERROR rmcp::transport::worker: worker quit with fatal: gone",
        "2026-01-01T00:00:00Z ERROR codex_core::rollout::list: state db missing rollout path",
    ],
)
def test_start_up_lines_are_removed_after_header_and_prompt(line: str) -> None:
    assert remaining_lines("\n".join([*CODEX_HEADER, line, "codex", "done"])) == [*CODEX_HEADER, "codex", "done"]


def test_indented_lines_below_client_warning_are_removed() -> None:
    text = "⚠ MCP client for `x` failed to start: gone\n  because of this\n\ncodex\nyes"
    assert remaining_lines(text) == ["", "codex", "yes"]


@pytest.mark.parametrize(
    "answer",
    [
        "Please run codex to update the docs",
        "mcp: the protocol connects tools",
        "Update available packages with apt",
        "run codex, then update the file",
        "mcp: github ready",
    ],
)
def test_answer_that_looks_like_start_up_line_is_kept(answer: str) -> None:
    text = "\n".join([*CODEX_HEADER, "codex", answer])
    assert remaining_lines(text) == text.split("\n")


@pytest.mark.parametrize(
    "answer", ["Please run codex to update the docs", "mcp: the protocol connects tools", "| a | b |\n|---|---|"]
)
def test_answer_is_kept_as_first_output(answer: str) -> None:
    for agent in ("claude", "codex"):
        assert remaining_lines(answer, agent=agent) == answer.split("\n")


def test_welcome_box_is_removed() -> None:
    box = "╭────────────╮\n│ >_ OpenAI Codex (v0.98.0) │\n│ model:     gpt-5 │\n│ directory: ~/x │\n╰────────────╯"
    assert remaining_lines(box + "\n\n• hello") == ["", "• hello"]
    assert remaining_lines(box + "\n\n• hello", startup=False) == ["", "• hello"]


def test_text_between_two_boxes_is_kept() -> None:
    text = "╭─────╮\n│ codex │\n│ model: x │\n╰─────╯\nbetween\n╭─────╮\n│ plan │\n╰─────╯"
    assert remaining_lines(text) == ["between", "╭─────╮", "│ plan │", "╰─────╯"]


def test_answer_box_that_names_an_agent_is_kept() -> None:
    text = "• Here is the layout:\n╭─────╮\n│ codex │\n│ model: x │\n╰─────╯"
    assert remaining_lines(text) == text.split("\n")


def test_unclosed_box_is_kept() -> None:
    text = "╭─────╮\n│ codex model: x │\nand then text"
    assert remaining_lines(text) == text.split("\n")


def test_update_notice_and_its_hint_are_removed() -> None:
    text = "✨ Update available! 0.98.0 -> 0.99.0\nRun npm install -g @openai/codex to update.\n• ok"
    assert remaining_lines(text) == ["• ok"]


def test_only_banners_are_removed_if_noise_is_kept() -> None:
    assert remaining_lines("mcp: github starting\n• ok", startup=False) == ["mcp: github starting", "• ok"]


def test_each_agent_removes_only_its_own_start_up_lines() -> None:
    assert remaining_lines("mcp: github starting\n● ok", agent="claude") == ["mcp: github starting", "● ok"]


@pytest.mark.parametrize(
    ("meta", "names"),
    [
        (SessionMeta(session="lisa-x", agent="codex"), ["codex"]),
        (SessionMeta(session="lisa-x", agent="codex", custom_command=True), list(agents.names())),
        (SessionMeta(session="lisa-x", agent="removed"), list(agents.names())),
        (None, list(agents.names())),
    ],
)
def test_custom_and_unknown_sessions_may_show_any_agent(meta: SessionMeta | None, names: list[str]) -> None:
    assert [agent.name for agent in agents.drawing(meta)] == names


def test_custom_sessions_lose_start_up_lines_of_any_agent() -> None:
    lines = ["mcp: github starting", "╭─── Claude Code v2.1.197 ───╮", "│ Welcome back! │", "╰──────╯", "ok"]
    assert noise.filter_noise(lines, agents.drawing()).apply(lines) == ["ok"]


def test_rulers_around_a_dialog_are_removed() -> None:
    screen = (Path(__file__).parents[2] / "agents" / "panes" / "claude" / "permission-bash.txt").read_text()
    lines = screen.split("\n")
    shown = noise.remove_rulers(lines, noise.keep_all(lines)).apply(lines)
    assert " Do you want to proceed?" in shown and " ❯ 1. Yes" in shown
    assert not [line for line in shown if "────" in line or "╌╌╌╌" in line]
    assert len(lines) - len(shown) == 3
