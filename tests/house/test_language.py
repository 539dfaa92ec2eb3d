"""The language rules, on the whole tree; and each check on text that breaks it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py import commands
from tests.house import language
from tests.house.sources import TREE, parse_modules, parse_tests, walk

PAGES = ("README.md", "CHANGELOG.md", "docs/**/*.md", "skills/**/*.md", "lisa_py/skill/**/*.md", "sdk/*/*.md")
OWN_FILES = ("language.py", "test_language.py")
"""The checks name the words they look for."""
GLOSSARY_ANSWERS = ("PeerMessage", "Status", "Handoff")
"""Answers with a name of their own in the glossary and in the Python library."""
RULES_PAGE = "docs/contributing.md"
"""Lists the banned words."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder, modules in (("lisa_py", parse_modules()), ("tests", parse_tests())):
        for path, tree in modules.items():
            if path.name not in OWN_FILES:
                yield f"{folder}/{path}", tree


def public_classes() -> list[tuple[str, str]]:
    """(module, name) of each public top-level class of the package but the `Args` of commands."""
    return [
        (str(path), node.name)
        for path, tree in parse_modules().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Args"
    ]


def test_docstrings_do_not_begin_with_a_relative_word() -> None:
    problems = [
        f"{path}:{line}: {text}" for path, tree in sources() for line, text in language.find_docstring_openings(tree)
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_docstrings_promise_what_is_returned() -> None:
    problems = [
        f"{path}:{line}: {text}" for path, tree in sources() for line, text in language.find_wrong_returns(tree)
    ]
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('def f() -> None:\n    """Return the text."""', 1),
        ('def f() -> str:\n    """Return True if it is."""', 1),
        ('class A:\n    """Return the text."""', 1),
        ('def f() -> bool:\n    """Return True if it is."""', 0),
        ('def f() -> str:\n    """Return the text."""', 0),
    ],
)
def test_wrong_promise_is_found(source: str, count: int) -> None:
    assert len(list(language.find_wrong_returns(ast.parse(source)))) == count


def test_no_name_holds_a_banned_word() -> None:
    problems = [f"{path}:{line}: {text}" for path, tree in sources() for line, text in language.find_banned_names(tree)]
    assert not problems, "\n" + "\n".join(problems)


def test_no_comment_docstring_or_text_holds_a_banned_word() -> None:
    problems = [
        f"{path}:{line}: {text}"
        for path, tree in sources()
        for line, text in language.find_banned_prose(
            (TREE / path).read_text(encoding="utf-8"), tree, with_values=path.startswith("lisa_py/")
        )
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_no_page_holds_a_banned_word() -> None:
    pages: list[Path] = sorted({page for pattern in PAGES for page in TREE.glob(pattern)})
    assert len(pages) > 40
    problems = [
        f"{page.relative_to(TREE)}:{number}: {', '.join(words)}"
        for page in pages
        if str(page.relative_to(TREE)) != RULES_PAGE
        for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if (words := language.find_banned_words(text))
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_public_class_names_are_unique() -> None:
    names = [name for _, name in public_classes()]
    assert len(names) > 200
    assert not language.find_duplicates(names)


def test_no_class_is_named_by_a_participle() -> None:
    assert not language.find_participles(name for _, name in public_classes())


def test_answers_of_commands_end_in_result_summary_or_report() -> None:
    answers = {}
    for path in commands.paths():
        command = commands.load(path)
        assert command is not None
        answers[" ".join(path)] = getattr(command.answer, "__name__", "")
    assert not {
        path: name
        for path, name in answers.items()
        if name and not language.ends_like_a_result(name) and name not in GLOSSARY_ANSWERS
    }


# ------------------------------------------------------------------ each check, failing


def find_banned_prose(source: str, *, with_values: bool = True) -> Iterator[language.Problem]:
    return language.find_banned_prose(source, ast.parse(source), with_values=with_values)


@pytest.mark.parametrize("opening", ["What is left", "Whether it runs", "How it ends", "Whom to ask", "Whose it is"])
def test_relative_openings_are_found(opening: str) -> None:
    function = f'def run():\n    """{opening}."""\n'
    field = f'class Cursor:\n    offset: int\n    """{opening}."""\n'
    assert [list(language.find_docstring_openings(ast.parse(text))) for text in (function, field)] == [
        [(2, f"docstring begins with {opening.split()[0]}")],
        [(3, f"docstring begins with {opening.split()[0]}")],
    ]
    assert not list(language.find_docstring_openings(ast.parse('"""Return what is left."""')))


@pytest.mark.parametrize(
    "source", ["def was_told(): ...", "class NewsReader: ...", "def f(wishes): ...", "baton = 1", "self.fly = 1"]
)
def test_banned_names_are_found(source: str) -> None:
    assert len(list(language.find_banned_names(ast.parse(source)))) == 1
    assert not list(language.find_banned_names(ast.parse("def broom_newspaper(): ...")))


@pytest.mark.parametrize("source", ["# nobody waits\n", '"""A room."""\n', 'error = "the pane stands still"\n'])
def test_banned_prose_is_found(source: str) -> None:
    assert len(list(find_banned_prose(source))) == 1
    assert not list(find_banned_prose("# see tests/house\n"))


def test_values_are_only_checked_on_request() -> None:
    assert not list(find_banned_prose('prompt = "nobody"\n', with_values=False))


@pytest.mark.parametrize("name", ["Flown", "Captured", "PromptWaiting", "Told", "SessionKnown"])
def test_participles_are_found(name: str) -> None:
    assert language.find_participles([name, "Binding", "SpawnResult", "Feed"]) == [name]


def test_duplicates_and_wrong_result_names_are_found() -> None:
    assert language.find_duplicates(["Step", "Plan", "Step"]) == ["Step"]
    assert not language.ends_like_a_result("Answer")


def test_names_of_tests_have_at_most_60_characters() -> None:
    long = [
        f"{path}: {node.name}"
        for path, tree in sources()
        for node in walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name) > 60
    ]
    assert not long, "\n".join(long)


def test_names_of_tests_use_plain_words() -> None:
    figurative = [
        f"{path}:{line}: {text}" for path, tree in sources() for line, text in language.find_figurative_tests(tree)
    ]
    assert not figurative, "\n".join(figurative)


@pytest.mark.parametrize("name", ["test_a_torn_file_says_nothing", "test_offset_is_counted_anew", "test_it_goes_on"])
def test_figurative_names_are_found(name: str) -> None:
    assert list(language.find_figurative_tests(ast.parse(f"def {name}(): ..."))) == [(1, f"name {name}")]
    assert not list(language.find_figurative_tests(ast.parse("def test_it_continues(): ...")))


def test_flag_help_has_at_most_ten_words() -> None:
    fields = [(entry.name, field) for entry in commands.build_index() for field in entry.command.fields]
    long = [
        f"{name} {field.spelling}: {field.flag.help}" for name, field in fields if len(field.flag.help.split()) > 10
    ]
    assert not long, "\n".join(long)
