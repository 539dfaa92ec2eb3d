"""Read the user's arguments for codex, and write values for its configuration."""

from __future__ import annotations

import re

from lisa_py.contract.quoting import split_arguments


def has_option(args: str, flag: str) -> bool:
    """Return True if the arguments hold a flag, also with its value attached to a one-letter flag."""
    short = len(flag) == 2
    return any(
        word == flag or word.startswith(flag + "=") or (short and word.startswith(flag) and not word.startswith("--"))
        for word in split_arguments(args)
    )


def sets_config(args: str, key: str) -> bool:
    """Return True if the arguments set this configuration key (or one below it) with `-c`."""
    return key in args and bool(re.search(rf"(?<!\S)(?:-c|--config)[\s=]*['\"]?{re.escape(key)}\b", args))


def toml_string(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04X}", escaped) + '"'
