"""What codex's visible screen says: dialogs, retries, errors, work in progress, an empty input line."""

from __future__ import annotations

import re

from lisa_py.agents._codex.rollout import error_kind
from lisa_py.contract.status import AgentReport, AgentState, WaitingFor

_BUSY = re.compile(r"^\s*[•◦] (.+?) \((?:\d+[hms] ?)+(?: •)? ?(?:.*esc to interrupt)\)", re.MULTILINE)
_RETRY = re.compile(r"reconnecting|retrying", re.IGNORECASE)
_COMPOSER = re.compile(r"^› ?", re.MULTILINE)
_CHOICE = re.compile(r"^\s*[›>] ?\d+\. ", re.MULTILINE)
_ERROR = re.compile(r"^■ (.+)", re.MULTILINE)
_INTERRUPTED = "Conversation interrupted"
_STATUS_LINE = re.compile(r"^  \S.* · (?:/|~)|\? for shortcuts|← for agents", re.MULTILINE)
_DIALOGS: tuple[tuple[re.Pattern[str], WaitingFor], ...] = (
    (re.compile(r"Hooks need review|hooks? needs? review before"), "hooks_trust"),
    (re.compile(r"Trust this folder\?|Do you trust the (?:contents|files)|Folder access"), "trust"),
    (re.compile(r"Sign in with (?:ChatGPT|Device Code)|Choose how you want to use Codex"), "login"),
    (re.compile(r"Update available|Update now"), "update"),
    (re.compile(r"Would you like to (?:run|make|grant|allow|apply)|Do you want to approve|Allow .+\?"), "permission"),
    (re.compile(r"Press enter to confirm or esc to cancel"), "permission"),
    (re.compile(r"enter to submit answer|Question \d+/\d+|tab to add notes"), "question"),
    (re.compile(r"enter (?:confirm|continue) · esc|Press enter to (?:continue|confirm)"), "dialog"),
)


def read(screen: str) -> AgentReport | None:
    """The one thing the screen says, or nothing."""
    if not screen.strip():
        return None
    bottom = _bottom(screen)
    dialog = _dialog(bottom)
    if dialog is not None:
        return dialog
    if found := _last(_BUSY, bottom):
        return _busy(found[1].strip())
    if not _COMPOSER.search(bottom):
        return None
    last = _last_block(screen)
    if last.startswith("■ "):
        said = last[2:].strip()
        if said.startswith(_INTERRUPTED):
            return _says("interrupted", "prompt")
        kind = error_kind(None, said)
        return AgentReport(
            source="screen",
            state="error",
            waiting_for="limit" if kind == "usage_limit" else "error",
            error=kind,
            detail=said[:200],
        )
    if last.startswith("• ") and not re.match(r"• (?:Ran|Exited|Explored|Edited|Added|Called|Searched)\b", last):
        # an answer without its `Worked for` line is still being written
        return _says("streaming", "", "answer on the screen")
    return _says("idle", "prompt")


def _says(state: AgentState, waiting_for: WaitingFor, detail: str = "") -> AgentReport:
    return AgentReport(source="screen", state=state, waiting_for=waiting_for, detail=detail)


def _busy(what: str) -> AgentReport:
    if _RETRY.search(what):
        return AgentReport(source="screen", state="retrying", error=error_kind(None, what), detail=what[:200])
    return _says("thinking", "", what[:200])


def _dialog(bottom: str) -> AgentReport | None:
    choice = _last(_CHOICE, bottom)
    if choice is None and "Press enter to continue" not in bottom:
        return None
    for pattern, kind in _DIALOGS:
        if found := pattern.search(bottom):
            start = bottom.rfind("\n", 0, found.start()) + 1
            title = bottom[start:].partition("\n")[0].strip()
            return _says("waiting", kind, title[:200])
    return None


def _bottom(screen: str, count: int = 30) -> str:
    return "\n".join(screen.rstrip().splitlines()[-count:])


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(reversed(list(pattern.finditer(text))), None)


def _last_block(screen: str) -> str:
    """The newest block above the input line."""
    lines = screen.rstrip().splitlines()
    at = next((number for number in range(len(lines) - 1, -1, -1) if lines[number].startswith("›")), len(lines))
    above = [line for line in lines[:at] if line.strip()]
    for line in reversed(above):
        if re.match(r"[•◦■✔✗›⚠] ", line):
            return line
        if re.match(r"  (?:Worked for|└ )", line) and line.startswith("  Worked for"):
            return line.strip()
    return ""
