"""Prepare text for a pane: remove control characters, add the objective."""

from __future__ import annotations

import os
import re

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

TEXT_MAX = 16 << 20
"""Bytes; ten times the limit of any agent."""
_CONTROL = compile_late("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = compile_late("[\ud800-\udfff]")  # representation of invalid UTF-8 in argv and files
# without its ESC an escape sequence such as `[201~` is five harmless characters
_NAMES = {"\x00": "NUL", "\x1b": "ESC", "\x7f": "DEL"}


class CleanText(Struct, frozen=True):
    """Text without control characters."""

    text: str
    stripped: dict[str, int]
    """Number of removed characters by name (ESC, NUL, DEL, C0, C1, invalid_utf8)."""


def clean_text(text: str) -> CleanText:
    """Convert line ends to newlines; remove control characters but tab and newline, and everything that is not Unicode.

    ESC and the C1 controls could end the bracketed paste, and the rest of the text would act as keys.
    """
    stripped: dict[str, int] = {}
    text = text.replace("\r\n", "\n").replace("\r", "\n")

    def note(found: re.Match[str]) -> str:
        char = found[0]
        name = _NAMES.get(char) or ("C0" if char < " " else "C1")
        stripped[name] = stripped.get(name, 0) + 1
        return ""

    text = _CONTROL.sub(note, text)
    text, broken = _SURROGATE.subn("\ufffd", text)
    if broken:
        stripped["invalid_utf8"] = broken
    return CleanText(text, stripped)


def read_text_file(ctx: Context, path: str, flag: str) -> str:
    """Return the text of a file named by the user, `-` being standard input, without the final newline.

    Raise LisaError(invalid_<flag>).
    """
    code = "invalid_" + flag.replace("-", "_")
    try:
        raw = ctx.stdin() if path == "-" else files.read_user_file(_absolute(ctx, path), TEXT_MAX + 1)
    except OSError as problem:
        raise LisaError(code, f"invalid --{flag}: {path} ({problem.strerror})") from problem
    if len(raw) > TEXT_MAX:
        raise LisaError(code, f"invalid --{flag}: {path} is larger than {TEXT_MAX >> 20} MB; put it into the project")
    return raw.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")


def _absolute(ctx: Context, path: str) -> str:
    return os.path.join(ctx.cwd, os.path.expanduser(path))


def is_command(text: str) -> bool:
    """Return True if the agent treats the text as one of its commands, not as a prompt."""
    return re.match(r"/[A-Za-z][\w:-]*(\s|\Z)", text) is not None and "\n" not in text.strip()


def find_sender(ctx: Context, ref: SessionRef) -> str:
    """Return the session that the caller runs in; empty for a person, and for the session itself."""
    sender = ctx.settings.parent_session
    return "" if sender == ref.session else sender


def mark_sender(text: str, sender: str) -> str:
    """Return the text as data of its sender, if there is one: an agent must not take it for words of its user."""
    if not sender:
        return text
    body = text.replace("</message>", "<\\/message>")
    return f'Message of the agent in session {sender}, not of your user:\n<message from="{sender}">\n{body}\n</message>'


def add_reminder(text: str, meta: SessionMeta | None) -> str:
    """Put the objective of the session before the text, unless the text has it already or is a slash command."""
    parts = objective_parts(meta) if meta is not None else []
    if not parts or is_command(text):
        return text
    reminder = "Objective reminder: " + " | ".join(parts)
    lower = text.lower()
    if reminder in text or ("objective reminder:" in lower and all(part.lower() in lower for part in parts)):
        return text
    return f"{reminder}\n{text}"


def complete_text(text: str, meta: SessionMeta | None) -> str:
    """Return the text as it is typed: without control characters, with the objective."""
    return add_reminder(clean_text(text).text, meta)


def objective_parts(meta: SessionMeta) -> list[str]:
    """Return `id=..`, `goal=..` and so on, as far as set; empty without an objective."""
    named = (
        ("id", meta.objective_id),
        ("goal", meta.objective_goal),
        ("acceptance", meta.objective_acceptance),
        ("budget", str(meta.objective_budget) if meta.objective_budget else ""),
    )
    parts = [f"{name}={value}" for name, value in named if value]
    return [*parts, f"lane={meta.lane}"] if parts and meta.lane else parts
