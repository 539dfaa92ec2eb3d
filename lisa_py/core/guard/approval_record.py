"""Record decisions about tool calls in the log of approvals, without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from lisa_py.contract.approvals import ApprovalEntry
from lisa_py.contract.errors import LisaError
from lisa_py.core.redact.redactor import Mask
from lisa_py.store import approval_log

_RULES = "secrets,tokens"
_INPUT_CHARACTERS = 2000


def describe_input(given: object) -> str:
    """Return the input of a call as one text: the command, or JSON."""
    if isinstance(given, Mapping):
        command = given.get("command")
        if isinstance(command, str):
            return command
    return json.dumps(given, ensure_ascii=False, default=str) if given else ""


def record(state_dir: str, entry: ApprovalEntry, secrets: Sequence[str]) -> str:
    """Append a decision; return why it is not in the log, empty if it is. It never fails: the decision counts."""
    mask = Mask(_RULES, secrets)
    texts: dict[str, Any] = {name: mask.mask_text(getattr(entry, name)) for name in ("input", "reason")}
    shown = texts["input"][:_INPUT_CHARACTERS]
    try:
        approval_log.append(state_dir, structs.replace(entry, **texts | {"input": shown}))
    except (LisaError, OSError) as problem:
        return f"the decision is not in the log of approvals: {problem}"
    return ""
