"""Comparing what is written about the commands (skill, reference pages) with what they are, one by one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import schema
from lisa_py.contract.surface import Entry, Surface
from lisa_py.core.advice import shell_words
from lisa_py.core.relay.skill import page
from lisa_py.host import files

PAGES = os.path.join("docs", "reference")
SAMPLE = 6
"""How many findings a detail names."""
_FENCED = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Check(Struct, frozen=True, kw_only=True):
    """One comparison."""

    name: str
    ok: bool
    detail: str | UnsetType = UNSET
    checked: int | UnsetType = UNSET
    failed: int | UnsetType = UNSET


def checks(root: str, skill: str, surface: Surface) -> list[Check]:
    """Every comparison, in order; an index that cannot be read ends them."""
    shown = tuple(entry for entry in surface if not entry.command.hidden)
    found = [schemas(surface)]
    index = page.index(skill)
    if index is None:
        where = os.path.join(skill, page.INDEX)
        return [*found, Check(name="skill_commands_doc_read", ok=False, detail=f"cannot read {where}")]
    found.append(Check(name="skill_commands_doc_read", ok=True))
    found += [commands(index, shown), lexicon(index, shown)]
    if index.commands:
        found.append(per_command(index, shown))
    found += [front(skill), examples(skill, surface)]
    pages = os.path.join(root, PAGES)
    return [*found, reference(pages, shown)] if files.is_dir(pages) else found


def schemas(surface: Surface) -> Check:
    """Every command has a whole schema for each kind of answer."""
    missing = [entry.name for entry in surface if not _has_schemas(entry)]
    return _result("schema_coverage", missing, len(surface), "missing: ")


def _has_schemas(entry: Entry) -> bool:
    kinds = [schema.answer(entry.command), schema.smaller(entry.command), schema.failure(entry.command.errors)]
    return all(kind.get("properties") or kind.get("anyOf") for kind in kinds if kind is not None)


def commands(index: page.Index, surface: Surface) -> Check:
    missing = [entry.name for entry in surface if index.lacks(entry)]
    return _result("skill_command_index_coverage", missing, len(surface), "missing commands: ")


def lexicon(index: page.Index, surface: Surface) -> Check:
    """Every flag is in the one line that holds them all."""
    pairs = [(entry, flag) for entry in surface for flag in entry.flags]
    missing = [f"{entry.name}:{flag}" for entry, flag in pairs if flag not in index.lexicon]
    return _result("skill_flag_surface_coverage", missing, len(pairs), "missing flags sample: ")


def per_command(index: page.Index, surface: Surface) -> Check:
    """Each section shows the flags of its own command: all of them, and no other."""
    wrong = []
    for entry in surface:
        told, true = index.commands.get(entry.name, frozenset()), set(entry.flags)
        wrong += [f"{entry.name}:{flag} not told" for flag in sorted(true - told)]
        wrong += [f"{entry.name}:{flag} does not exist" for flag in sorted(told - true)]
    wrong += [f"{name} does not exist" for name in index.commands if name not in {entry.name for entry in surface}]
    return _result("skill_flags_per_command", wrong, sum(len(entry.flags) for entry in surface), "")


def front(skill: str) -> Check:
    try:
        found = page.manifest(skill)
    except OSError as problem:
        return Check(name="skill_front_matter", ok=False, detail=str(problem))
    if found is None:
        return Check(name="skill_front_matter", ok=False, detail=f"{page.MAIN} has no front matter")
    wrong = [] if found.name == page.NAME else [f"name is {found.name or 'missing'}"]
    wrong += [f"{key} is missing" for key in ("description", "version") if not found.fields.get(key)]
    return _result("skill_front_matter", wrong, 3, "")


def examples(skill: str, surface: Surface) -> Check:
    """Every `lisa ...` line in the skill's shell examples names a command and flags that exist."""
    known = {entry.name: set(entry.flags) | {"--help"} for entry in surface}
    wrong: list[str] = []
    seen = 0
    for name in _texts(skill):
        text = (files.read(os.path.join(skill, name)) or b"").decode("utf-8", "replace")
        try:
            said = list(calls(text))
        except shell_words.Unparsable as problem:
            wrong.append(f"{name}: {problem}")
            continue
        seen += len(said)
        wrong += [f"{name}: {problem}" for words in said for problem in problems(words, known)]
    return _result("skill_examples", wrong, seen, "")


def _texts(skill: str) -> list[str]:
    inner = [os.path.join("data", name) for name in files.names(os.path.join(skill, "data"))]
    return [name for name in [*files.names(skill), *inner] if name.endswith(".md")]


def calls(text: str) -> Iterator[Sequence[str]]:
    """The words behind `lisa` of each call in the shell blocks of a page."""
    for block in _FENCED.findall(text):
        bare = re.sub(r"(?m)(^|\s{2,})#.*$", "", block)
        for command in shell_words.commands(bare):
            if os.path.basename(command.words[0]) == "lisa":
                yield command.words[1:]


def problems(words: Sequence[str], known: dict[str, set[str]]) -> list[str]:
    """What of a call does not exist."""
    name = next((" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in known), "")
    if not name:
        return [] if words and words[0].startswith("-") else [f"no command `{' '.join(words[:2])}`"]
    flags = [word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)]
    return [f"{name} has no {flag}" for flag in flags if flag not in known[name]]


def reference(folder: str, surface: Surface) -> Check:
    """Every command's page lists its flags and its error codes."""
    wrong = []
    for entry in surface:
        raw = files.read(os.path.join(folder, entry.name.replace(" ", "-") + ".md"))
        told = set(re.findall(r"(?<!`)`([^`\n]+)`", (raw or b"").decode("utf-8", "replace")))
        wrong += [f"{entry.name} has no page"] if raw is None else []
        needed = (*(flag for flag in entry.flags if flag not in entry.spellings), *entry.command.errors)
        wrong += [f"{entry.name}:{word}" for word in needed if raw is not None and word not in told]
    return _result("docs_reference_coverage", wrong, len(surface), "missing: ")


def _result(name: str, wrong: Sequence[str], seen: int, before: str) -> Check:
    if not wrong:
        return Check(name=name, ok=True, checked=seen or UNSET)
    more = f" and {len(wrong) - SAMPLE} more" if len(wrong) > SAMPLE else ""
    detail = before + ", ".join(wrong[:SAMPLE]) + more
    return Check(name=name, ok=False, checked=seen or UNSET, failed=len(wrong), detail=detail)
