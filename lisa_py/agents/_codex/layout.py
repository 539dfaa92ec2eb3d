"""Signs of codex's screen: input line, spinner, footer, start-up lines, welcome box, update notice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lisa_py.contract.late_pattern import compile_late
from lisa_py.terminal import layout

_FACTS = r"(?:provider|approval|sandbox|reasoning effort|reasoning summaries|session id|workdir|model):"
LAYOUT = layout.Layout(
    input_glyphs="›",
    reply_glyphs="•",
    below_spinner="└",
    spinner=rf"\s*(?:[•◦]\s+)?{layout.INTERRUPTIBLE}",
    furniture=rf"\? for shortcuts|← for agents|{_FACTS}(?:\s+\S+(?:\s+\[.*\])?)?\Z"
    r"|(?:─+ )?Worked for (?:\d+[hms] ?)+(?:• .*|─+)?\Z",
    counters=("tokens used",),
)
_NOISE = compile_late(
    r"mcp: \S+ (?:starting|started|ready|connected|disabled|failed\b.*|error\b.*|cancell?ed\b.*|timed out\b.*)\Z"
    r"|mcp startup: "
    r"|⚠\s*mcp client for "
    r"|⚠\s*mcp startup incomplete"
    r"|(?:⚠|warning:)\s*under-development features enabled:"
    r"|_client::streamablehttpclientworker"
    r"|reading (?:additional input|prompt) from stdin\.\.\.\Z"
    r"|warning: proceeding, even though we could not (?:create|update) path"
    r"|warning: codex could not find bubblewrap on path\."
    r"|hook: sessionstart(?: completed)?\Z"
    r"|\S*\s*(?:error|warn)\s+(?:codex_\w+|rmcp)(?:::\w+)*: "
)
_LOG_NOISE = (
    "rmcp::transport::worker: worker quit with fatal:",
    "auth(tokenrefreshfailed(",
    "auth error: oauth token refresh failed:",
    "invalid_grant: invalid refresh token",
    "codex_state::runtime: failed to open state db",
    "codex_core::rollout::list: state db missing rollout path",
    "codex_core::state_db: state db record_discrepancy",
)
_MCP_CLIENT = compile_late(r"⚠\s*mcp client for ", re.IGNORECASE)
_HEADER = compile_late(rf"-{{4,}}\Z|user\Z|warning: |{_FACTS}|\S.{{0,40}} v\d+\.\d+\S*\Z", re.IGNORECASE)
_WELCOME_FACTS = ("model:", "directory:", "approval:", "sandbox:", "session id", "update available", "getting started")


def startup_end(lines: Sequence[str], row: int) -> int:
    """Return the row after a failed tool server and its indented reason; the row itself if there is none."""
    if not _MCP_CLIENT.match(lines[row].strip()):
        return row
    end = row + 1
    while end < len(lines) and lines[end][:1] in (" ", "\t") and lines[end].strip():
        end += 1
    return end


def banner_end(lines: Sequence[str], row: int) -> int:
    """Return the row after the welcome box or update notice; the row itself if there is none."""
    welcome = layout.welcome_end(lines, row, "codex", _WELCOME_FACTS)
    return max(welcome, layout.update_notice_end(lines, row, "codex"))


def is_header(line: str) -> bool:
    """Return True for a line of the header of `codex exec`."""
    return _HEADER.match(line) is not None


def is_noise(line: str) -> bool:
    """Return True for a start-up line; lines of an answer are marked or indented and never match."""
    low = line.strip().lower()
    if not low or line.startswith(("•", "›", "■", "✔", "✗")):
        return False
    return bool(_NOISE.match(low)) or any(words in low for words in _LOG_NOISE)
