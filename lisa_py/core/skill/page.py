"""Read a skill: the front matter of SKILL.md, and the commands and flags in its index."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.contract.command_index import CommandEntry, CommandIndex
from lisa_py.host import files

NAME = "lisa"
MAIN = "SKILL.md"
INDEX = os.path.join("data", "commands.md")
FLAG_LIST_HEADING = "Canonical flag surface mirror"
"""Precedes the line with all flags in backticks."""
_FLAG = re.compile(r"(?<![\w-])(?:--[a-z][a-z0-9-]*|-[A-Za-z][a-z-]*)(?![\w-])")
_MAX_BYTES = 1 << 20


class Manifest(Struct, frozen=True, kw_only=True):
    """The front matter."""

    name: str = ""
    version: str = ""
    description: str = ""
    fields: Mapping[str, str] = {}


class SkillIndex(Struct, frozen=True, kw_only=True):
    """Content of a command index."""

    text: str
    commands: Mapping[str, frozenset[str]]
    """Flags by command, where the index has a section for each."""
    all_flags: frozenset[str]
    """All flags, from the line that holds them."""

    def lacks(self, entry: CommandEntry) -> bool:
        """Return True if a command is missing. An index without sections is searched for its words."""
        if self.commands:
            return entry.name not in self.commands
        return not re.search(rf"(?<![\w-]){re.escape(entry.name)}(?![\w-])", self.text)

    def missing_flags(self, entry: CommandEntry) -> list[str]:
        known = self.commands.get(entry.name, frozenset()) if self.commands else self.all_flags
        return [flag for flag in entry.flags if flag not in known or flag not in self.all_flags]


def read_manifest(folder: str) -> Manifest | None:
    """Return the front matter of SKILL.md; None if the file or its front matter is missing. Raise OSError."""
    raw = files.read(os.path.join(os.path.realpath(folder), MAIN), limit=_MAX_BYTES)
    if raw is None:
        return None
    found = parse_front_matter(raw.decode("utf-8", "replace"))
    if found is None:
        return None
    return Manifest(
        name=found.get("name", ""),
        version=found.get("version", ""),
        description=found.get("description", ""),
        fields=found,
    )


def parse_front_matter(text: str) -> dict[str, str] | None:
    """Return the plain `key: value` pairs between the first line `---` and the next; None without such lines."""
    lines = text.removeprefix("\ufeff").splitlines()
    ends = [at for at, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")]
    if not lines or lines[0].rstrip() != "---" or not ends:
        return None
    found: dict[str, str] = {}
    key = ""
    for line in lines[1 : ends[0]]:
        match = re.match(r"([A-Za-z][\w-]*):(?:\s+(.*))?$", line)
        if match:
            key, value = match[1].lower(), (match[2] or "").strip()
            found[key] = "" if re.fullmatch(r"[>|][+-]?", value) else _unquote(value)
        elif key and line.strip() and line[0] in " \t-":
            found[key] = f"{found[key]} {_unquote(line.strip().removeprefix('- '))}".strip()
    return found


def _unquote(value: str) -> str:
    quoted = re.match(r"""(["'])(.*)\1\s*(?:#.*)?$""", value)
    return quoted[2] if quoted else re.sub(r"\s+#.*$", "", value).strip()


def is_skill(folder: str) -> bool:
    """Return True if the folder holds a skill named lisa."""
    try:
        found = read_manifest(folder)
    except OSError:
        return False
    return found is not None and found.name == NAME


def load_index(folder: str) -> SkillIndex | None:
    """Return the command index of a skill; None if it cannot be read."""
    try:
        raw = files.read(os.path.join(os.path.realpath(folder), INDEX), limit=_MAX_BYTES)
    except OSError:
        return None
    return None if raw is None else parse_index(raw.decode("utf-8", "replace"))


def parse_index(text: str) -> SkillIndex:
    return SkillIndex(text=text, commands=_parse_sections(text), all_flags=_parse_all_flags(text))


def _parse_all_flags(text: str) -> frozenset[str]:
    in_list = False
    for line in text.splitlines():
        if in_list and line.startswith("## "):
            break
        if in_list and re.match(r"`--.*`\s*$", line):
            return frozenset(line.strip().strip("`").split())
        in_list = in_list or line.startswith(FLAG_LIST_HEADING)
    return frozenset()


def _parse_sections(text: str) -> dict[str, frozenset[str]]:
    """Return the flags of each section from the indented call of its command."""
    found: dict[str, frozenset[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("## "):
            name = line[3:].strip().strip("`").removeprefix("lisa ")
        elif name and line.startswith(f"    lisa {name}") and name not in found:
            found[name] = frozenset(_FLAG.findall(line))
    return found


def capability_hash(surface: CommandIndex) -> str:
    """Return 12 hex digits that change with every added or removed command or flag."""
    lines = "".join(f"{entry.name}|{','.join(entry.flags)}\n" for entry in surface)
    return digests.sha256(lines.encode()).hexdigest()[:12]


def is_newer(version: str, other: str) -> bool:
    """Return True if a version is later: by its numbers, a release after its previews."""
    return _version_key(version) > _version_key(other)


def _version_key(version: str) -> tuple[tuple[int, ...], bool]:
    numbers, _, preview = version.strip().lstrip("v").partition("-")
    found = [int(part) for part in re.findall(r"\d+", numbers)]
    while found and found[-1] == 0:
        found.pop()
    return tuple(found), not preview
