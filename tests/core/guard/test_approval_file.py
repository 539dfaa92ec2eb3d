"""core/guard/approval_file: approvals.toml is read whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py.core.guard import approval_file

GOOD = """
# my rules
[[deny]]
command = "git push"
reason = "I push  myself"

[[ask]]
tool = ["WebFetch", "mcp__mail"]

[[allow]]
path = "src/**"
tool = "Edit"
"""


def write(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "approvals.toml"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_rules_are_read_with_their_lines(tmp_path: Path) -> None:
    found = approval_file.read_rules(write(tmp_path, GOOD))
    assert found.problem == "" and found.exists
    assert [(rule.decision, rule.line, rule.tools, rule.commands, rule.paths) for rule in found.rules] == [
        ("deny", 3, (), ("git push",), ()),
        ("ask", 7, ("WebFetch", "mcp__mail"), (), ()),
        ("allow", 10, ("Edit",), (), ("src/**",)),
    ]
    assert found.rules[0].reason == "I push myself"


def test_missing_file_has_no_rules(tmp_path: Path) -> None:
    found = approval_file.read_rules(str(tmp_path / "approvals.toml"))
    assert (found.exists, found.rules, found.problem) == (False, (), "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[deny]]\ncommand = \n", "line 2"),
        ("[[deny]]\ncommand = 'a'\n[[deny]]\ncomand = 'rm'\n", "line 4: comand: unknown key"),
        ("[[forbid]]\ntool = 'Bash'\n", "line 1: forbid: unknown table"),
        ("[deny]\ntool = 'Bash'\n", "line 1: deny: it is no list of tables"),
        ("x = 1\n", "line 1: x: unknown table"),
        ("[[ask]]\n[[allow]]\ntool = 'Bash'\n", "line 1: ask: a rule needs"),
        ("[[allow]]\ntool = 'Bash'\n\n[[allow]]\ntool = [1]\n", "line 5: tool: it is no text"),
        ("[[allow]]\ntool = 'Bash(git:*)'\n", "line 2: tool: Bash(git:*) is not"),
        ("[[allow]]\ncommand = 'ls; rm'\n", "line 2: command: ls; rm is not"),
        ("[[allow]]\ncommand = ''\n", "line 2: command: it is no text"),
        ("[[allow]]\ncommand = 'ls'\npath = '/x'\n", "line 3: path: the files of a command line"),
        ("[[deny]]\ntool = 'Write'\ncommand = 'ls'\n", "line 2: tool: only Bash"),
        ("[[deny]]\ntool = 'Write'\nreason = 3\n", "line 3: reason: it is no text"),
    ],
)
def test_problem_names_the_line_and_the_key(tmp_path: Path, text: str, problem: str) -> None:
    found = approval_file.read_rules(write(tmp_path, text))
    assert found.rules == () and found.exists
    assert problem in found.problem and str(tmp_path) in found.problem


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    found = approval_file.read_rules(write(tmp_path, GOOD, mode))
    assert found.rules == () and "other users may write to it" in found.problem and "chmod 600" in found.problem


def test_folder_and_bytes_in_its_place_are_problems(tmp_path: Path) -> None:
    path = tmp_path / "approvals.toml"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    assert "not UTF-8" in approval_file.read_rules(str(path)).problem
    path.unlink()
    path.mkdir(mode=0o700)
    assert "cannot be read" in approval_file.read_rules(str(path)).problem
