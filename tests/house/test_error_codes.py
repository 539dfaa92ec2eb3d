"""Every error code that is raised is documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from lisa_py import commands
from lisa_py.contract.errors import COMMON_ERRORS
from tests.house.sources import parse_modules, string_constants, walk

RAISERS = ("LisaError", "UsageError")


def promised() -> set[str]:
    """Return the codes of all commands, of all flags, and the common ones."""
    codes = set(COMMON_ERRORS)
    for path in commands.paths():
        command = commands.load(path)
        assert command is not None
        codes |= {*command.error_codes, *(field.code for field in command.fields)}
    return codes


def raised(tree: ast.Module) -> Iterator[str]:
    for node in walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in RAISERS and node.args:
            yield from _literal(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "error_code" or (keyword.arg == "code" and name in (*RAISERS, "TmuxUnavailable")):
                yield from _literal(keyword.value)


def _literal(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    if isinstance(node, ast.IfExp):
        yield from _literal(node.body)
        yield from _literal(node.orelse)


def test_every_code_that_is_raised_is_documented() -> None:
    """Every code is in COMMON_ERRORS or among the codes of a command."""
    known = promised()
    found = {str(path): sorted(set(raised(tree)) - known) for path, tree in parse_modules().items()}
    assert not {path: codes for path, codes in found.items() if codes}


SENTENCE = re.compile(r"\bRaises? ([^.]*(?:\.\.\.[^.]*)*)")
CODE = re.compile(r"(?<![\w.])(?:[a-z0-9]+_)+[a-z0-9]+(?![\w.*])")


def find_unlisted_codes(function: ast.FunctionDef) -> set[str]:
    """Return the codes that the function itself raises and its docstring, which lists codes, leaves out."""
    sentences = " ".join(SENTENCE.findall(" ".join((ast.get_docstring(function) or "").split())))
    listed = CODE.findall(sentences)
    endings = tuple(re.findall(r"\.\.\.(_\w+)", sentences))
    if not listed:
        return set()
    raises = (node.exc for node in ast.walk(function) if isinstance(node, ast.Raise))
    calls = (node for node in raises if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISERS)
    own = {code for call in calls for code in _literal(call.args[0])}
    return {code for code in own if code not in listed and not code.endswith(endings or "\0")}


def find_unknown_codes(function: ast.FunctionDef, known: set[str]) -> set[str]:
    """Return the codes in the docstring's sentences on errors that nothing raises."""
    sentences = SENTENCE.findall(" ".join((ast.get_docstring(function) or "").split()))
    return {word for sentence in sentences for word in CODE.findall(sentence)} - known


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in parse_modules().items():
        for node in walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{path}:{node.lineno} {node.name}", node


def test_docstrings_list_the_codes_their_function_raises() -> None:
    problems = {name: sorted(find_unlisted_codes(node)) for name, node in functions()}
    assert not {name: codes for name, codes in problems.items() if codes}


def test_docstrings_name_codes_that_exist() -> None:
    """Names of functions and modules, whose errors a sentence refers to, are no codes."""
    modules = parse_modules()
    names = {node.name for _, node in functions()} | {path.stem for path in modules}
    values = {constant.value for tree in modules.values() for constant in string_constants(tree)}
    problems = {name: sorted(find_unknown_codes(node, names | values)) for name, node in functions()}
    assert not {name: codes for name, codes in problems.items() if codes}


@pytest.mark.parametrize(
    ("promise", "unlisted", "unknown"),
    [
        ("Raise LisaError(good_code).", {"other_code"}, set()),
        ("Raise LisaError: good_code, other_code.", set(), set()),
        ("Raise LisaError(good_code | ..._code).", set(), set()),
        ("Raise LisaError(other_code | no_code).", {"good_code"}, {"no_code"}),
        ("Return good_code.", set(), set()),
    ],
)
def test_wrong_promise_of_an_error_is_found(promise: str, unlisted: set[str], unknown: set[str]) -> None:
    body = 'if x:\n        raise LisaError("good_code", "")\n    raise LisaError("other_code", "")'
    function = ast.parse(f'def f() -> None:\n    """{promise}"""\n    {body}').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert find_unlisted_codes(function) == unlisted
    assert find_unknown_codes(function, {"good_code", "other_code"}) == unknown
