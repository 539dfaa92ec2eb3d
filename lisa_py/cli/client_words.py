"""Words, errors and exit codes of `lisa ai`: those of the LimaCharlie client."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lisa_py import commands
from lisa_py.cli.parse import CLIENT_GROUP
from lisa_py.contract.client_flags import IGNORED_SWITCHES, IGNORED_VALUES, ClientArgs
from lisa_py.contract.command import read_fields
from lisa_py.contract.errors import LisaError, UsageError

_EXIT_CODES = {
    "identity_not_found": 3,
    "session_not_found": 3,
    "invalid_max_budget_usd": 4,
    "invalid_max_turns": 4,
    "invalid_session_status": 4,
    "invalid_task_budget_tokens": 4,
    "invalid_tool_pattern": 4,
    "invalid_ttl_seconds": 4,
}
"""Exit codes of errors of the service, where the command has them; others, and all errors of usage, are 1."""
_SUGGESTIONS = {
    3: "Verify the resource name/ID is correct. Use the 'list' command to see available resources.",
    4: "Check the command help with --help for parameter requirements.",
}


def arrange(argv: Sequence[str]) -> list[str]:
    """Return the words with the flags that precede the command behind it, and without those that mean nothing here.

    Words of another group are returned unchanged.
    """
    fields = read_fields(ClientArgs)
    values = {*IGNORED_VALUES, *(spelling for field in fields if not field.is_switch for spelling in field.spellings())}
    switches = {*IGNORED_SWITCHES, *(spelling for field in fields if field.is_switch for spelling in field.spellings())}
    path: list[str] = []
    early: list[str] = []
    index = 0
    while index < len(argv) and (not path or commands.is_group(*path)):
        name, equals, _ = argv[index].partition("=")
        width = 2 if name in values and not equals else 1
        if name in values | switches:
            early += [] if name in (*IGNORED_VALUES, *IGNORED_SWITCHES) else argv[index : index + width]
        elif argv[index].startswith("-"):
            break
        else:
            path.append(argv[index])
        index += width
    if path[:1] != [CLIENT_GROUP]:
        return list(argv)
    return [*path, *early, *_drop_ignored(path, argv[index:])]


def _drop_ignored(path: Sequence[str], words: Sequence[str]) -> list[str]:
    command = None if commands.is_group(*path) else commands.load(path)
    own = {spelling for field in (command.fields if command else ()) for spelling in field.spellings()}
    kept: list[str] = []
    queue = iter(words)
    for word in queue:
        name, equals, _ = word.partition("=")
        if word == "--":
            return [*kept, word, *queue]
        if name in own or name not in (*IGNORED_SWITCHES, *IGNORED_VALUES):
            kept.append(word)
        elif name in IGNORED_VALUES and not equals:
            next(queue, None)
    return kept


def _is_of_service(problem: LisaError, words: Sequence[str]) -> bool:
    """Return True for a value that the client sends to its service, which refuses it: a number out of range."""
    if not isinstance(problem, UsageError) or "field" in problem.details:
        return True
    flag = "--" + problem.code.removeprefix("invalid_").replace("_", "-")
    given = [after for word, after in itertools.pairwise(words) if word == flag]
    given += [word.partition("=")[2] for word in words if word.startswith(f"{flag}=")]
    try:
        return bool(list(map(float, given)))
    except ValueError:
        return False


def convert_failure(problem: LisaError, form: str, argv: Sequence[str]) -> LisaError:
    """Return the error with the client's text and exit code; unchanged for another group."""
    words = arrange(argv)
    if words[:1] != [CLIENT_GROUP] or problem.code == "interrupted":
        return problem
    command = commands.load(words[: len(commands.find_group(words)) + 1])
    code = _EXIT_CODES.get(problem.code, 1)
    if not _is_of_service(problem, words) or not command or code not in command.exits:
        code = 1
    text = problem.message
    if form == "text":
        text = f"Error: {text}" + (f"\nSuggestion: {_SUGGESTIONS[code]}" if code in _SUGGESTIONS else "")
    return LisaError(problem.code, text, exit_code=code, **problem.details)
