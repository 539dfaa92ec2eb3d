"""Files of a patch of codex."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FILE = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+?)[ \t\r]*$", re.MULTILINE)


def list_files(tool_input: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that a patch adds, changes, moves or deletes."""
    texts = [value for value in tool_input.values() if isinstance(value, str)]
    return tuple(dict.fromkeys(found for text in texts for found in _FILE.findall(text)))
