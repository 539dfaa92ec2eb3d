"""Extract meaningful lines and find new ones."""

from __future__ import annotations

from lisa_py import agents
from lisa_py.core.output import semantic


def extract_lines(text: str) -> list[str]:
    return semantic.extract_lines(text, agents.layout_of())


def test_prose_that_begins_with_program_name_is_kept() -> None:
    assert extract_lines("Lisa printed hello\nlisa session list\n./lisa session kill --session x") == [
        "Lisa printed hello"
    ]


def test_header_facts_are_removed_with_their_values() -> None:
    text = (
        "workdir: /tmp/x\nmodel: gpt-5\nsandbox: workspace-write [workdir, /tmp]\nsession id: 01a1\ntokens used\n19,732"
    )
    assert extract_lines(text + "\nmodel: a simple picture of a thing") == ["model: a simple picture of a thing"]


def test_boxes_rulers_inputs_spinners_and_colours_are_removed() -> None:
    text = "╭────╮\n│ kept │\n╰────╯\n⠋ Working (3s • esc to interrupt)\n\x1b[31mred\x1b[0m\n❯ typed\n──────\n"
    text += "__LISA_EXEC_DONE__:0"
    assert extract_lines(text) == ["kept", "red"]


def test_times_and_durations_do_not_make_a_line_new() -> None:
    before = extract_lines("built at 12:01:07 in 3.2s\n2026-11-21T02:07:24.669Z ready")
    after = extract_lines("built at 12:09:55 in 14s\n2026-11-21T02:09:00Z ready\nand more")
    assert semantic.find_new(after, before) == ["and more"]


def test_each_line_counts_once_and_removed_lines_do_not() -> None:
    assert extract_lines("a\nb\na") == ["a", "b"]
    assert semantic.find_new(["b"], ["a", "b"]) == []


def test_random_verb_and_duration_of_claude_are_no_change() -> None:
    signs = agents.get("claude").layout()
    before = semantic.extract_lines("● done\n✻ Baked for 3s · done 4:50 AM", signs)
    after = semantic.extract_lines("● done\n✻ Cogitated for 1m 12s · done 4:52 AM · 1 shell still running", signs)
    assert before == after == ["● done"]


def test_duration_line_of_codex_is_removed() -> None:
    signs = agents.get("codex").layout()
    assert semantic.extract_lines(
        "• waited\n  Worked for 2m 4s • 04:47\n─ Worked for 3s ────\n• Worked for hours", signs
    ) == [
        "• waited",
        "• Worked for hours",
    ]
