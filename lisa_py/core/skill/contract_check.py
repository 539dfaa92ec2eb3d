"""Compare the skill and the reference pages with the commands, one by one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import schema
from lisa_py.contract.command_index import CommandEntry, CommandIndex
from lisa_py.core.guard import shell_parser
from lisa_py.core.skill import page
from lisa_py.host import files

REFERENCE_FOLDER = os.path.join("docs", "reference")
SAMPLE = 6
"""Maximum number of findings named by a detail."""
_FENCED = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


class SkillCheck(Struct, frozen=True, kw_only=True):
    """One comparison."""

    name: str
    ok: bool
    detail: str | UnsetType = UNSET
    checked: int | UnsetType = UNSET
    failed: int | UnsetType = UNSET


def run_checks(root: str, skill: str, surface: CommandIndex) -> list[SkillCheck]:
    """Run all comparisons in order; an unreadable index ends them."""
    visible = tuple(entry for entry in surface if not entry.command.hidden)
    found = [check_schemas(surface)]
    index = page.load_index(skill)
    if index is None:
        where = os.path.join(skill, page.INDEX)
        return [*found, SkillCheck(name="skill_commands_doc_read", ok=False, detail=f"cannot read {where}")]
    found.append(SkillCheck(name="skill_commands_doc_read", ok=True))
    found += [check_commands(index, visible), check_flag_list(index, visible)]
    if index.commands:
        found.append(check_command_flags(index, visible))
    found += [check_front_matter(skill), check_examples(skill, surface)]
    pages = os.path.join(root, REFERENCE_FOLDER)
    return [*found, check_reference_pages(pages, visible)] if files.is_dir(pages) else found


def check_schemas(surface: CommandIndex) -> SkillCheck:
    """Check that every command has a complete schema for each kind of answer."""
    missing = [entry.name for entry in surface if not _has_schemas(entry)]
    return _make_check("schema_coverage", missing, len(surface), "missing: ")


def _has_schemas(entry: CommandEntry) -> bool:
    kinds = [
        schema.answer_schema(entry.command),
        schema.min_schema(entry.command),
        schema.failure_schema(entry.command.errors),
    ]
    return all(kind.get("properties") or kind.get("anyOf") for kind in kinds if kind is not None)


def check_commands(index: page.SkillIndex, surface: CommandIndex) -> SkillCheck:
    missing = [entry.name for entry in surface if index.lacks(entry)]
    return _make_check("skill_command_index_coverage", missing, len(surface), "missing commands: ")


def check_flag_list(index: page.SkillIndex, surface: CommandIndex) -> SkillCheck:
    """Check that every flag is in the line of all flags."""
    pairs = [(entry, flag) for entry in surface for flag in entry.flags]
    missing = [f"{entry.name}:{flag}" for entry, flag in pairs if flag not in index.all_flags]
    return _make_check("skill_flag_surface_coverage", missing, len(pairs), "missing flags sample: ")


def check_command_flags(index: page.SkillIndex, surface: CommandIndex) -> SkillCheck:
    """Check that each section shows exactly the flags of its command."""
    wrong = []
    for entry in surface:
        documented, actual = index.commands.get(entry.name, frozenset()), set(entry.flags)
        wrong += [f"{entry.name}:{flag} is missing" for flag in sorted(actual - documented)]
        wrong += [f"{entry.name}:{flag} does not exist" for flag in sorted(documented - actual)]
    wrong += [f"{name} does not exist" for name in index.commands if name not in {entry.name for entry in surface}]
    return _make_check("skill_flags_per_command", wrong, sum(len(entry.flags) for entry in surface), "")


def check_front_matter(skill: str) -> SkillCheck:
    try:
        found = page.read_manifest(skill)
    except OSError as problem:
        return SkillCheck(name="skill_front_matter", ok=False, detail=str(problem))
    if found is None:
        return SkillCheck(name="skill_front_matter", ok=False, detail=f"{page.MAIN} has no front matter")
    wrong = [] if found.name == page.NAME else [f"name is {found.name or 'missing'}"]
    wrong += [f"{key} is missing" for key in ("description", "version") if not found.fields.get(key)]
    return _make_check("skill_front_matter", wrong, 3, "")


def check_examples(skill: str, surface: CommandIndex) -> SkillCheck:
    """Check that every `lisa ...` line in the shell examples of the skill names an existing command and flags."""
    known = {entry.name: set(entry.flags) | {"--help"} for entry in surface}
    wrong: list[str] = []
    checked = 0
    for name in _page_names(skill):
        text = (files.read(os.path.join(skill, name)) or b"").decode("utf-8", "replace")
        try:
            example_calls = list(extract_calls(text))
        except shell_parser.ShellSyntaxError as problem:
            wrong.append(f"{name}: {problem}")
            continue
        checked += len(example_calls)
        wrong += [f"{name}: {problem}" for words in example_calls for problem in find_problems(words, known)]
    return _make_check("skill_examples", wrong, checked, "")


def _page_names(skill: str) -> list[str]:
    inner = [os.path.join("data", name) for name in files.list_names(os.path.join(skill, "data"))]
    return [name for name in [*files.list_names(skill), *inner] if name.endswith(".md")]


def extract_calls(text: str) -> Iterator[Sequence[str]]:
    """Yield the words after `lisa` of each call in the shell blocks of a page."""
    for block in _FENCED.findall(text):
        bare = re.sub(r"(?m)(^|\s{2,})#.*$", "", block)
        for command in shell_parser.parse_commands(bare):
            if os.path.basename(command.words[0]) == "lisa":
                yield command.words[1:]


def find_problems(words: Sequence[str], known: dict[str, set[str]]) -> list[str]:
    """Return the unknown parts of a call."""
    name = next((" ".join(words[:count]) for count in (4, 3, 2, 1) if " ".join(words[:count]) in known), "")
    if not name:
        return [] if words and words[0].startswith("-") else [f"no command `{' '.join(words[:2])}`"]
    flags = [word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)]
    return [f"{name} has no {flag}" for flag in flags if flag not in known[name]]


def check_reference_pages(folder: str, surface: CommandIndex) -> SkillCheck:
    """Check that the page of every command lists its flags and error codes."""
    wrong = []
    for entry in surface:
        raw = files.read(os.path.join(folder, entry.name.replace(" ", "-") + ".md"))
        documented = set(re.findall(r"(?<!`)`([^`\n]+)`", (raw or b"").decode("utf-8", "replace")))
        wrong += [f"{entry.name} has no page"] if raw is None else []
        needed = (*(flag for flag in entry.flags if flag not in entry.spellings), *entry.command.errors)
        wrong += [f"{entry.name}:{word}" for word in needed if raw is not None and word not in documented]
    return _make_check("docs_reference_coverage", wrong, len(surface), "missing: ")


def _make_check(name: str, wrong: Sequence[str], checked: int, before: str) -> SkillCheck:
    if not wrong:
        return SkillCheck(name=name, ok=True, checked=checked or UNSET)
    more = f" and {len(wrong) - SAMPLE} more" if len(wrong) > SAMPLE else ""
    detail = before + ", ".join(wrong[:SAMPLE]) + more
    return SkillCheck(name=name, ok=False, checked=checked or UNSET, failed=len(wrong), detail=detail)
