"""Checks of the language rules in docs/contributing.md: docstrings, banned words, class names."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.house.sources import walk

BANNED_WORDS = frozenset(
    """told tells hear hears heard wish wishes whoever nobody stands news fly flies flown born baton patient
    mend mends mended mending chatter room rooms house houses""".split()  # noqa: SIM905 - one word per line would fill a page
)
_BANNED_OPENINGS = ("What", "Whether", "How", "Whom", "Whose")
_RESULT_ENDINGS = ("Result", "Summary", "Report")
_IRREGULAR_PARTICIPLES = frozenset(
    """Begun Born Built Done Drawn Flown Found Given Gone Heard Held Kept Known Left Lost Made Met Said Seen
    Sent Shown Spent Spoken Swept Taken Thrown Told Written""".split()  # noqa: SIM905 - one word per line would fill a page
)
_NOUNS_LIKE_PARTICIPLES = frozenset(
    """Binding Building Embed Feed Finding Heading Meaning Need Paging Pricing Reading Seed Setting Speed String
    Timing Warning""".split()  # noqa: SIM905 - one word per line would fill a page
)
_WORD = re.compile(r"[A-Za-z]+")
_CAMEL_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_FOLDER_NAME = re.compile(r"\btests/house\b|\btests\.house\b")
"""The folder of these tests keeps its name."""

Problem = tuple[int, str]
"""Line number and description."""


def find_docstring_openings(tree: ast.AST) -> Iterator[Problem]:
    """Yield docstrings, and string docs of fields, that begin with a relative word."""
    for node in walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            opening = _WORD.match(node.value.value.strip())
            if opening and opening[0] in _BANNED_OPENINGS:
                yield node.lineno, f"docstring begins with {opening[0]}"


def find_wrong_returns(tree: ast.AST) -> Iterator[Problem]:
    """Yield docstrings that promise a value which the signature does not return, and classes that "return"."""
    for node in walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if not re.match(r"Return\b", first):
            continue
        if isinstance(node, ast.ClassDef):
            yield node.lineno, f"{node.name}: a class returns nothing"
            continue
        returned = ast.unparse(node.returns) if node.returns else ""
        if returned == "None":
            yield node.lineno, f"{node.name} returns None"
        elif first.startswith("Return True") and "bool" not in returned:
            yield node.lineno, f"{node.name} returns {returned}, not bool"


def find_banned_words(text: str) -> list[str]:
    """Return the banned words of a prose text, in order."""
    found = _WORD.findall(_FOLDER_NAME.sub("", text))
    return [word for word in found if word.lower() in BANNED_WORDS]


def find_banned_names(tree: ast.AST) -> Iterator[Problem]:
    """Yield definitions, parameters and variables with a banned word as a part of the name."""
    for node in walk(tree):
        for name in _defined_names(node):
            parts = {part.lower() for part in _CAMEL_PART.findall(name)}
            if parts & BANNED_WORDS:
                yield getattr(node, "lineno", 0), f"name {name}"


def _defined_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


def find_banned_prose(source: str, tree: ast.AST, *, with_values: bool) -> Iterator[Problem]:
    """Yield comments and docstrings, and with `with_values` other strings too, that hold a banned word."""
    documents = {
        id(node.value) for node in walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (with_values or id(node) in documents):
            for word in find_banned_words(node.value):
                yield node.lineno, f"text with {word!r}"
    if not find_banned_words(source):  # reading its tokens takes longer than all other checks
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for word in find_banned_words(token.string):
                yield token.start[0], f"comment with {word!r}"


def find_participles(class_names: Iterable[str]) -> list[str]:
    """Return the class names whose last word is a participle."""
    return [name for name in class_names if _is_participle(_CAMEL_PART.findall(name)[-1])]


def _is_participle(word: str) -> bool:
    if word in _NOUNS_LIKE_PARTICIPLES:
        return False
    return word in _IRREGULAR_PARTICIPLES or (len(word) > 4 and word.endswith(("ed", "ing")))


FIGURATIVE = re.compile(r"_(?:says?|said|believed?|anew|go(?:es|ing)?_on|taken_for|hears?|in_peace|for_good)(?:_|\Z)")
"""Expressions that a name of a test replaces by a plain verb: reports, is ignored, again, continues, counts as."""


def find_figurative_tests(tree: ast.Module) -> Iterator[Problem]:
    """Yield the tests whose names hold a figurative expression."""
    for node in walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and FIGURATIVE.search(node.name):
            yield node.lineno, f"name {node.name}"


def find_duplicates(class_names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(class_names).items() if count > 1)


def ends_like_a_result(class_name: str) -> bool:
    """Return True if the name of a command's answer ends in Result, Summary or Report."""
    return class_name.endswith(_RESULT_ENDINGS)
