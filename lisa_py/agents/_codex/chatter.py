"""Start-up lines of codex that are not part of an answer."""

from __future__ import annotations

import re

_NOISE = re.compile(
    r"mcp: \S+ (?:starting|ready|failed|cancelled)\b"
    r"|mcp startup: "
    r"|⚠ mcp client for "
    r"|⚠ mcp startup incomplete"
    r"|(?:⚠|warning:) under-development features enabled:"
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


def is_noise(line: str) -> bool:
    """Return True for a start-up line; lines of an answer are marked or indented and never match."""
    low = line.strip().lower()
    if not low or line.startswith(("•", "›", "■", "✔", "✗")):
        return False
    return bool(_NOISE.match(low)) or any(words in low for words in _LOG_NOISE)
