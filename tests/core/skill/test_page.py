"""Reading the front matter and the command index of a skill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.skill import contract_check, page

TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)


def test_front_matter_is_read_like_yaml() -> None:
    found = page.parse_front_matter(
        "---\nname: 'lisa'  # ours\nversion: \"1.2\"\ntags:\n  - a\n  - b\n"
        "description: >\n  two\n  lines\n---\nversion: 9\n"
    )
    assert found == {"name": "lisa", "version": "1.2", "tags": "a b", "description": "two lines"}


@pytest.mark.parametrize(
    "text", ["", "version: 1\n", "---\nversion: 1\n", "\n---\nversion: 1\n---\n", "# x\n---\n---\n"]
)
def test_page_without_fences_has_no_front_matter(text: str) -> None:
    assert page.parse_front_matter(text) is None


@pytest.mark.parametrize(
    ("later", "earlier"), [("1.10", "1.9"), ("2", "1.9.9"), ("1.0", "1.0-rc1"), ("v1.1", "1.0"), ("1.0.1", "1.0")]
)
def test_versions_are_compared_by_numbers(later: str, earlier: str) -> None:
    assert page.is_newer(later, earlier) and not page.is_newer(earlier, later)
    assert not page.is_newer(later, later)


def test_equal_versions_are_not_newer() -> None:
    assert not page.is_newer("1.0", "1") and not page.is_newer("1", "1.0")


def test_line_of_all_flags_is_read_below_its_heading_only() -> None:
    text = f"`--not-this`\n{page.FLAG_LIST_HEADING} of all:\n\nwords\n`--a --b -v`\n`--c`\n"
    assert page.parse_index(text).all_flags == {"--a", "--b", "-v"}
    assert page.parse_index(f"{page.FLAG_LIST_HEADING}\n## next\n`--a`\n").all_flags == frozenset()


def test_values_with_dashes_are_not_flags() -> None:
    text = "## x y\n\n    lisa x y [--mode non-interactive|exec (a-b)] [--keep|--no-keep] [-v]\n"
    assert page.parse_index(text).commands == {"x y": {"--mode", "--keep", "--no-keep", "-v"}}


@given(TEXTS, TEXTS)
def test_arbitrary_text_does_not_raise(one: str, two: str) -> None:
    page.parse_front_matter(one)
    page.parse_front_matter(f"---\n{one}\n---\n{two}")
    page.parse_index(f"{page.FLAG_LIST_HEADING}\n{one}\n## {two}")
    page.is_newer(one, two)


def test_calls_are_found_in_shell_blocks_only() -> None:
    text = (
        "`lisa not this`\n```sh\n# lisa nor this\n"
        "A=$(lisa a b --x \"lisa no\" | jq '.k | lisa') && ./lisa c \\\n  --y\n"
        "for i in 1; do lisa d; done  # lisa e\n```\n```json\nlisa f\n```\n"
    )
    calls = [" ".join(words[:3]) for words in contract_check.extract_calls(text)]
    assert sorted(calls) == ["a b --x", "c --y", "d"]
