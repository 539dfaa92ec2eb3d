"""Files that the words of a shell line may name: in every folder that the line goes to, patterns of names expanded."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late
from lisa_py.core.guard import shell_stages
from lisa_py.core.guard.shell_stages import ASSIGNMENT, REDIRECTION, ShellWord
from lisa_py.core.guard.shell_words import ANY, ONE, UNKNOWN, TooManyWords, expand_word, has_marks
from lisa_py.host import files

_MOVES = frozenset(("cd", "pushd", "chdir"))
_FOLDER_OPTION = compile_late(r"(?:-C|--directory|--chdir|--cwd|--prefix|--work-tree|--git-dir)(?:=?(?P<glued>.+))?")
_LOOPS = frozenset(("for", "while", "until", "repeat", "do", "function"))
_READERS = frozenset(("read", "mapfile", "readarray", "getopts", "printf", "wait"))
"""Programs that set variables named in their arguments."""
_IDENTIFIER = compile_late(r"[A-Za-z_]\w*")
_OPTION_LETTERS = "-" + string.ascii_letters + string.digits
_SEPARATORS = compile_late(r"[=:,@]")
_HIDDEN = frozenset(("dotglob", "globdots", "GLOB_DOTS", "glob_dots"))
"""Options of shells that let patterns match hidden names."""
_MOST_FOLDERS = 32
_MOST_VALUES = 64
_MOST_NAMES = 2000
"""Entries of folders that one call looks at for patterns."""
_MOST_PATHS = 5000
_LONGEST = 255
"""Characters of a name of a file."""


class NamedPath(Struct, frozen=True):
    """A path that a call may touch."""

    name: str
    """The word as written, or the path as a tool names it."""
    path: str
    """Absolute; with marks where it is not known. Empty for all the rest of a line with too many words."""

    @property
    def is_open(self) -> bool:
        return has_marks(self.path)


def list_paths(
    stages: Iterable[Sequence[ShellWord]], folder: str, environ: Mapping[str, str], *, may_move: bool = False
) -> tuple[NamedPath, ...]:
    """Return the paths that words may name."""
    return tuple(_LineReader(list(stages), [folder, UNKNOWN] if may_move else [folder], environ).list_paths())


class _LineReader:
    """Knows the variables and the folders of one line."""

    def __init__(self, stages: list[Sequence[ShellWord]], folders: list[str], environ: Mapping[str, str]) -> None:
        self._stages = [_flatten(stage) for stage in stages]
        self._environ = environ
        self._values: dict[str, list[str]] = {}
        self._folders = folders
        raws = {word for stage in self._stages for word in stage}
        self._sees_hidden = bool(raws & _HIDDEN)
        self._repeats = bool(raws & _LOOPS) or any(raw.endswith("()") for raw in raws)
        self._budget = _MOST_NAMES
        self._is_crowded = False
        """Some word has more values than are looked at."""
        for _ in range(2):  # a loop uses values that it sets later
            for stage in self._stages:
                self._read_variables(stage)
        for stage in self._stages:
            self._read_folders(stage)

    def list_paths(self) -> Iterator[NamedPath]:
        seen: set[str] = set()
        for raw in dict.fromkeys(raw for stage in self._stages for raw in stage):
            for path in (
                path for word in self._expand(raw) for name in _list_names(word) for path in self._resolve(name)
            ):
                if len(seen) > _MOST_PATHS:
                    yield NamedPath(raw, "")
                    return
                if path not in seen:
                    seen.add(path)
                    yield NamedPath(raw, path)
        if self._is_crowded:
            yield NamedPath("...", "")

    def _expand(self, raw: str, *, braces: bool = True) -> list[str]:
        """Return what a word may become, also if the variables that are not known are empty."""
        try:
            found = expand_word(raw, self._look_up, braces=braces)
            if "$" in raw and any(UNKNOWN in each for each in found):
                found += expand_word(
                    raw, lambda name: [v.replace(UNKNOWN, "") for v in self._look_up(name)], braces=braces
                )
        except TooManyWords:
            self._is_crowded = True
            return [UNKNOWN]
        return found

    def _look_up(self, name: str) -> Sequence[str]:
        if name == "HOME" and name not in self._values:
            return [os.path.expanduser("~")]
        if name == "PWD":
            return self._folders
        known = [self._environ[name]] if name in self._environ else []
        values = list(dict.fromkeys((*self._values.get(name, ()), *known)))
        if len(values) > _MOST_VALUES:
            raise TooManyWords
        return values or [UNKNOWN]

    # -- variables

    def _read_variables(self, stage: Sequence[str]) -> None:
        for at, raw in enumerate(stage):
            found = ASSIGNMENT.match(raw)
            if found is not None:
                self._assign(raw, found.group())
            elif raw in ("for", "select", "foreach") and at + 1 < len(stage):
                items = stage[at + 3 : at + 4 + _MOST_VALUES] if stage[at + 2 : at + 3] == ["in"] else ()
                self._set(stage[at + 1], [value for each in items for value in self._expand(each)] or [UNKNOWN])
            elif raw == "set":
                values = [
                    value
                    for each in stage[at + 1 : at + 2 + _MOST_VALUES]
                    for value in self._expand(each)
                    if each != "--"
                ]
                for name in ("@", "*", *map(str, range(1, 10))):
                    self._set(name, values)
        if _READERS & set(stage):
            for raw in stage:
                if _IDENTIFIER.fullmatch(raw) and raw not in _READERS:
                    self._set(raw, [UNKNOWN])

    def _assign(self, raw: str, head: str) -> None:
        name = head.partition("[")[0].rstrip("+=")
        values = self._expand(raw[len(head) :], braces=False)
        if head.endswith("+="):
            values += [old + new for old in self._values.get(name, ()) for new in values]
        self._set(name, values)

    def _set(self, name: str, values: Iterable[str]) -> None:
        known = self._values.setdefault(name, [])
        known += [value for value in dict.fromkeys(values) if value not in known][: _MOST_VALUES + 1]

    # -- folders

    def _read_folders(self, stage: Sequence[str]) -> None:
        for at, raw in enumerate(stage):
            following = stage[at + 1 :]
            option = _FOLDER_OPTION.fullmatch(raw)
            if raw in _MOVES:
                self._move(next((each for each in following if each == "-" or not each.startswith("-")), "~"))
            elif option is not None:
                self._move(option["glued"] or next(iter(following), "."))

    def _move(self, raw: str) -> None:
        bases = list(self._folders)
        for each in (each for value in self._values.get("CDPATH", ()) for each in value.split(":")):
            bases += [path for folder in self._folders for path in spell_path(folder, each)]
        targets = [UNKNOWN] if raw == "-" else self._expand(raw)
        if self._repeats and any(target.startswith("..") for target in targets):
            bases += [ancestor for base in bases for ancestor in _list_ancestors(base)]
        made = [path for base in bases for target in targets for path in spell_path(base, target)]
        made = [each for path in made for each in (self._expand_pattern(path) if has_marks(path) else (path,))]
        self._folders = list(dict.fromkeys((*self._folders, *made)))
        if len(self._folders) > _MOST_FOLDERS:
            self._folders = [*self._folders[:_MOST_FOLDERS], UNKNOWN]

    # -- paths

    def _resolve(self, name: str) -> Iterator[str]:
        for path in dict.fromkeys(path for folder in self._folders for path in spell_path(folder, name)):
            yield from self._expand_pattern(path) if has_marks(path) else (path,)

    def _expand_pattern(self, path: str) -> Iterator[str]:
        """Yield the files that fit a pattern; the pattern itself where none does, or not all are known."""
        found = list(self._match_files(path)) if UNKNOWN not in path else []
        if not found or self._budget <= 0:
            yield path
        yield from found

    def _match_files(self, path: str) -> Iterator[str]:
        known = ["/"]
        for part in path.split("/")[1:]:
            if not has_marks(part):
                known = [os.path.join(folder, part) for folder in known]
                continue
            pattern = _compile_part(part)
            matched = []
            for folder in known:
                names = _list_entries(folder) if self._budget > 0 else []
                self._budget -= len(names) + 1
                may_hide = self._sees_hidden or part.startswith(".")
                matched += [
                    os.path.join(folder, name)
                    for name in names
                    if (may_hide or not name.startswith(".")) and pattern.fullmatch(name)
                ]
            known = matched
        yield from (each for each in known if os.path.lexists(each))


def _flatten(stage: Sequence[ShellWord]) -> list[str]:
    """Return the words of a stage as written, without the operators of redirections, and with those of lists."""
    raws: list[str] = []
    for word in stage:
        raw = word.raw
        found = None if raw[:2] in ("<(", ">(") else REDIRECTION.fullmatch(raw)
        raw = found["target"] if found is not None else raw
        assigned = ASSIGNMENT.match(raw)
        if assigned is not None and raw[assigned.end() :].startswith("("):
            inner = shell_stages.split_stages(raw[assigned.end() + 1 :].rstrip(")"))
            values = [each for part in inner for each in _flatten(part.every_word)]
            raws += [assigned.group() + each for each in values]
        elif raw:
            raws.append(raw)
    return raws


def _list_names(word: str) -> Iterator[str]:
    """Yield a word and the parts of it that may be a path: `--file=x`, `-fx`, `host:x`, `@x`."""
    yield word
    if word.startswith("-") and not word.startswith("--") and len(word) > 2:
        yield word[2:]
        yield word[len(word) - len(word.lstrip(_OPTION_LETTERS)) :]
    places = [found.end() for found in _SEPARATORS.finditer(word)][:8]
    for start, end in zip([0, *places], [*places, len(word) + 1], strict=True):
        if places and start < len(word):
            yield word[start:]
            yield word[start : end - 1]


def spell_path(folder: str, name: str) -> tuple[str, ...]:
    """Return the absolute path of a name in a folder, without `..`; twice if a link or quotes may change it."""
    name = name.replace("\0", "")
    if name.startswith(("~+", "~-")):  # the folder of the shell, and the one before
        name = f"{'.' if name[1] == '+' else UNKNOWN}{name[2:]}"
    home = os.path.expanduser(name)
    paths = [_join(folder, name)] if home == name else [_join(folder, home), _join(folder, name)]
    if ".." in home and not has_marks(paths[0]):
        paths.append(os.path.realpath(os.path.join(folder, home)))
    return tuple(dict.fromkeys(paths))


def _join(folder: str, name: str) -> str:
    """Return an absolute path without `.` and `..`; it begins with a mark where its folder is not known."""
    if name.startswith(UNKNOWN):
        folder = UNKNOWN
    parts: list[str] = []
    for part in ("" if name.startswith("/") else folder).split("/") + name.split("/"):
        if part == ".." and not (parts and UNKNOWN in parts[-1]):
            del parts[-1:]
        elif part == "..":
            parts[-1] = UNKNOWN
        elif part not in ("", ".", "..") and not (part == UNKNOWN and parts[-1:] == [UNKNOWN]):
            parts.append(part)
    return "/" + "/".join(parts)


def _list_ancestors(path: str) -> Iterator[str]:
    while path not in ("", "/"):
        path = os.path.dirname(path)
        yield path


def _list_entries(folder: str) -> list[str]:
    try:
        return files.list_names(folder)
    except OSError:
        return []


def _compile_part(part: str) -> re.Pattern[str]:
    kinds = {ANY: ".*", ONE: "."}
    return re.compile("".join(kinds.get(char) or re.escape(char) for char in part), re.DOTALL)


# -- open paths against globs of rules ------------------------------------------------------------------------------


def may_fall_under(path: str, glob: str) -> bool:
    """Return True if an open path may be what an absolute glob covers, and what it shows of itself points there.

    A word that is not known as a whole points nowhere: it may be anything, as in most lines.
    """
    rule = [part for part in glob.split("/") if part]
    while rule and rule[-1] == "**":
        rule.pop()
    if not rule:
        return True
    word = path.split("/")[1:]
    reached = {(0, 0)}
    queue = [(0, 0)]
    while queue:
        at, place = queue.pop()
        steps = list(_step(rule, word, at, place))
        if None in steps:
            return True
        for step in steps:
            if step is not None and step not in reached:
                reached.add(step)
                queue.append(step)
    return False


def _step(rule: Sequence[str], word: Sequence[str], at: int, place: int) -> Iterator[tuple[int, int] | None]:
    """Yield the places behind one part of both; None where the last part of the rule is reached."""
    if at == len(rule) or place == len(word):
        return
    is_last, part = at + 1 == len(rule), word[place]
    if rule[at] == "**":
        yield (at + 1, place)
        yield (at, place + 1)
        return
    is_below = place == at > 0 and not any(map(has_marks, word[:place])) and not re.search(r"[*?]", "".join(rule[:at]))
    if part == UNKNOWN:
        yield (at, place + 1)
        if not is_last:
            yield (at + 1, place + 1)
            yield (at + 1, place)
        elif is_below:
            yield None
        return
    met = _compare_part(rule[at], part)
    if met is None:
        return
    if not is_last:
        yield (at + 1, place + 1)
    elif met or (is_below and part != ANY):
        yield None


def _compare_part(glob: str, part: str) -> bool | None:
    """Return None if a name cannot fit both, True if a character that is known of it is one that the glob names."""
    if len(part) > _LONGEST:
        return None
    row: list[bool | None] = [None] * (len(part) + 1)
    row[0] = False
    for place, char in enumerate(part, 1):
        row[place] = row[place - 1] if char in (ANY, UNKNOWN) else None
    for at, wanted in enumerate(glob):
        last, row = row, [row[0] if wanted == "*" else None] * (len(part) + 1)
        for place, char in enumerate(part, 1):
            row[place] = _best(_meet(wanted, char, last, row, place, is_first=at == 0 and place == 1))
    return row[-1]


def _meet(
    wanted: str, char: str, last: Sequence[bool | None], row: Sequence[bool | None], place: int, *, is_first: bool
) -> Iterator[bool | None]:
    if wanted == "*":
        yield last[place]
        yield row[place - 1]
    if char in (ANY, UNKNOWN):
        yield row[place - 1]
        yield last[place]
    if wanted in "*?" or char in (ANY, ONE, UNKNOWN):
        yield last[place - 1]
    elif wanted == char and last[place - 1] is not None:
        yield last[place - 1] or char.isalnum() or char == "_" or is_first


def _best(found: Iterator[bool | None]) -> bool | None:
    known = [each for each in found if each is not None]
    return any(known) if known else None
