"""Version of lisa and the build data of its packager."""

from __future__ import annotations

import os
import re

from msgspec import Struct

import lisa_py
from lisa_py.host.env import Settings

COMMIT_FILE = "commit.txt"
"""Written into the package by the build (hatch_build.py)."""


class BuildReport(Struct, frozen=True, kw_only=True):
    version: str
    commit: str
    date: str


def read_build(settings: Settings) -> BuildReport:
    """Return the version; commit and date come from LISA_BUILD_COMMIT and LISA_BUILD_DATE, else from the checkout."""
    return BuildReport(
        version=lisa_py.__version__,
        commit=settings.get("LISA_BUILD_COMMIT") or _read_commit() or "none",
        date=settings.get("LISA_BUILD_DATE", "unknown"),
    )


def _read_commit() -> str:
    """Return the commit recorded by the build of a package, else that of the checkout; empty if there is neither."""
    package = os.path.dirname(lisa_py.__file__)
    recorded = _read_text(os.path.join(package, COMMIT_FILE))
    return recorded or read_checkout_commit(os.path.dirname(package))


def read_checkout_commit(tree: str) -> str:
    """Return the commit of the git checkout whose top folder this is; empty if it is none."""
    folder = os.path.join(tree, ".git")
    link = _read_text(folder) if os.path.isfile(folder) else ""
    if link.startswith("gitdir:"):  # a worktree
        folder = os.path.join(tree, link.removeprefix("gitdir:").strip())
    head = _read_text(os.path.join(folder, "HEAD"))
    if not head.startswith("ref:"):
        return _check_commit(head)
    common = os.path.join(folder, _read_text(os.path.join(folder, "commondir")) or ".")
    name = head.removeprefix("ref:").strip()
    found = _check_commit(_read_text(os.path.join(common, name)))
    if found:
        return found
    packed = _read_text(os.path.join(common, "packed-refs"))
    match = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed, re.MULTILINE)
    return match[1] if match else ""


def _check_commit(text: str) -> str:
    return text if re.fullmatch(r"[0-9a-f]{40,64}", text) else ""


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
