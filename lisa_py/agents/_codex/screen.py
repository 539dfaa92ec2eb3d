"""What codex's visible screen says: dialogs, retries, errors, work in progress, an empty input box."""

from __future__ import annotations

import re

from lisa_py.agents import _dialogs
from lisa_py.agents._codex.errors import error_kind, waits_for
from lisa_py.agents._dialogs import Choice
from lisa_py.contract.status import AgentReport, AgentState, WaitingFor

_BUSY = re.compile(r"^\s*[•◦] (.+?) \((?:\d+[hms] ?)+• esc\b")
_RETRY = re.compile(r"reconnecting|retrying", re.IGNORECASE)
_INPUT = re.compile(r"^› ?(?!\s*\d+\. |\[[x ]\] )")
_MARK = re.compile(r"^(?:[•◦■✔✗⚠›] |  Worked for )")
_CHOICE = re.compile(r"^\s*[›>] +(?:\d+\. |\[[x ]\] )")
_FOOTER = re.compile(
    r"(?:^|[ |·])(?:press )?enter (?:to )?(?:confirm|continue|select|submit|save|resume|open|apply|view|toggle)\b"
    r"|\besc (?:to )?(?:back|go back|skip|cancel|exit|dismiss|close|browse|interrupt)\b"
    r"|(?:^|\s)[qt] (?:close|trust) ·",
    re.IGNORECASE,
)
_IDLE_HINTS = re.compile(r"\? for shortcuts|esc again to edit")
_STATUS_LINE = re.compile(r"^ {2}\S.* · \S|← for agents", re.MULTILINE)
_DONE = ("Ran ", "Exited ", "Explored", "Edited ", "Added ", "Deleted ", "Called ", "Searched ", "Updated Plan")
_KINDS: tuple[tuple[re.Pattern[str], WaitingFor], ...] = (
    (re.compile(r"hooks? needs? review", re.IGNORECASE), "hooks_trust"),
    (re.compile(r"Trust this folder\?|Do you trust the (?:contents|files)|^\s*Folder access", re.MULTILINE), "trust"),
    (re.compile(r"Sign in |Choose how you want to use Codex|Welcome to Codex"), "login"),
    (re.compile(r"Update available"), "update"),
    (re.compile(r"Question \d+/\d+|enter to submit answer"), "question"),
    (re.compile(r"Would you like to|Do you want to (?:approve|allow)|needs your approval|Allow "), "permission"),
    (re.compile(r"Press enter to confirm or esc to cancel"), "permission"),
)


def read(screen: str, *, fresh: bool = False) -> AgentReport | None:
    """The one thing the screen says, or nothing; `fresh`: codex was started a moment ago."""
    lines = [line for line in screen.splitlines() if line.strip()]
    if not lines:
        return None
    shown = dialog(lines)
    if shown is not None:
        return shown
    at = _input_box(lines)
    if at < 0:
        return None
    for row in range(at - 1, max(-1, at - 12), -1):
        if found := _BUSY.match(lines[row]):
            below = lines[row + 1].strip() if row + 1 < at else ""
            return _busy(found[1].strip(), below)
    if fresh and not _STATUS_LINE.search("\n".join(lines[at:])):
        return _says("starting", "")
    return _rest(lines[:at])


def _input_box(lines: list[str]) -> int:
    """The row where the input box begins, or -1: below it everything is indented."""
    for row in range(len(lines) - 1, -1, -1):
        if lines[row].strip() and not lines[row].startswith("  "):
            return row if _INPUT.match(lines[row]) else -1
    return -1


def dialog(lines: list[str]) -> AgentReport | None:
    """A dialog or overlay in place of the input box, told by the keys its last lines offer."""
    last = "\n".join(lines[-2:])
    if not _FOOTER.search(last) or _IDLE_HINTS.search(last) or any(map(_INPUT.match, lines[-4:])):
        return None
    region = lines[_start(lines) :]
    text = "\n".join(region)
    for pattern, kind in _KINDS:
        if found := pattern.search(text):
            return _says("waiting", kind, _heading(text, found.start(), kind))
    first = next((line for line in region if re.search(r"[^\W_]{3}", line)), "")
    return _says("waiting", "dialog", " ".join(first.split())[:200])


def _start(lines: list[str]) -> int:
    """Where the dialog begins: behind the last line that belongs to the conversation."""
    for row in range(len(lines) - 3, -1, -1):
        if _MARK.match(lines[row]) and not _CHOICE.match(lines[row]):
            return row + 1
    return 0


def _heading(text: str, at: int, kind: WaitingFor) -> str:
    """The line that asks; for a permission also what for."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].partition("\n")[0].strip()
    if kind == "question":
        return text[start:].partition("\n")[2].partition("\n")[0].strip()[:200] or line
    command = re.search(r"^ {2}\$ (.+)", text, re.MULTILINE)
    return (command[1].strip() if command and kind == "permission" else line)[:200]


def choices(screen: str) -> tuple[Choice, ...]:
    """The list of the dialog on the screen; none when there is no dialog."""
    lines = [line for line in screen.splitlines() if line.strip()]
    return _dialogs.choices("\n".join(lines[_start(lines) :])) if dialog(lines) else ()


def draft(screen: str) -> list[str]:
    """The lines that stand in the input box; none when it is empty or not there."""
    lines = screen.rstrip().splitlines()
    at = _input_box(lines)
    if at < 0 or dialog([line for line in lines if line.strip()]):
        return []
    rows = [lines[at][1:].strip()]
    for line in lines[at + 1 :]:
        if not line.strip():
            break
        rows.append(line.strip())
    return [] if rows[0] in PLACEHOLDERS and len(rows) == 1 else [row for row in rows if row]


PLACEHOLDERS = ("", "Ask Codex to do anything", "Ask a follow-up question")


def pending(screen: str) -> list[str]:
    """Texts taken while codex was busy and not yet given to the model."""
    return [line.strip()[1:].strip() for line in screen.splitlines() if line.strip().startswith("↳ ")]


def _says(state: AgentState, waiting_for: WaitingFor, detail: str = "") -> AgentReport:
    return AgentReport(source="screen", state=state, waiting_for=waiting_for, detail=detail)


def _busy(what: str, below: str) -> AgentReport:
    if not _RETRY.search(what):
        return _says("thinking", "", what[:200])
    said = f"{what} {below.removeprefix('└').strip()}" if below.startswith("└") else what
    kind = error_kind(None, said)
    return AgentReport(source="screen", state="retrying", error="" if kind == "unknown" else kind, detail=said[:200])


def retry(screen: str) -> AgentReport | None:
    """Whether the newest line of a run's output is about a retry."""
    lines = [line.strip() for line in screen.splitlines() if line.strip()]
    if not lines or not re.match(r"(?:ERROR|WARN\w*): (?:Reconnecting|Server is busy)", lines[-1]):
        return None
    return _busy(lines[-1].partition(": ")[2], "")


def _rest(above: list[str]) -> AgentReport:
    """With no sign of work: how the newest turn on the screen ended, if it has."""
    start = next((row for row in range(len(above) - 1, -1, -1) if above[row].startswith("› ")), 0)
    turn = above[start:]
    end = next((line for line in reversed(turn) if line.startswith(("■ ", "  Worked for "))), "")
    if end.startswith("■ "):
        return _ended(end[2:].strip())
    if not end and any(line.startswith("• ") and not line[2:].startswith(_DONE) for line in turn):
        # an answer without its `Worked for` line is still being written
        return _says("streaming", "", "an answer is being written")
    return _says("idle", "prompt")


def _ended(said: str) -> AgentReport:
    if said.startswith("Conversation interrupted"):
        return _says("interrupted", "prompt")
    kind = error_kind(None, said)
    return AgentReport(source="screen", state="error", waiting_for=waits_for(kind), error=kind, detail=said[:200])
