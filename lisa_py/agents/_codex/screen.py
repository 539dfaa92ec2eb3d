"""Read codex's screen: dialogs, retries, errors, work in progress, an empty input box."""

from __future__ import annotations

import re

from lisa_py.agents._codex.errors import classify_error, error_waiting_for
from lisa_py.agents.base import Composer
from lisa_py.contract.status import AgentReport, AgentState, WaitingFor
from lisa_py.terminal import choices, styled
from lisa_py.terminal.choices import ScreenChoice

_BUSY = re.compile(r"^\s*[•◦] (.+?) \((?:\d+[hms] ?)+• esc\b")
_RETRY = re.compile(r"reconnecting|retrying", re.IGNORECASE)
_INPUT = re.compile(r"^› ?(?!\s*\d+\. |\[[x ]\] )")
_SHELL_INPUT = re.compile(r"^! |^!$")
_HISTORY_SEARCH = "reverse-i-search:"
_MARK = re.compile(r"^(?:[•◦■✔✗⚠›] |  Worked for )")
_CHOICE = re.compile(r"^\s*[›>] +(?:\d+\. |\[[x ]\] )")
_FOOTER = re.compile(
    r"(?:^|[ |·])(?:press )?enter (?:to )?(?:confirm|continue|select|submit|save|resume|open|apply|view|toggle)\b"
    r"|\besc (?:to )?(?:back|go back|skip|cancel|exit|dismiss|close|browse|interrupt)\b"
    r"|(?:^|\s)[qt] (?:close|trust) ·",
    re.IGNORECASE,
)
_QUESTION_HEAD = re.compile(r"^\s*Question \d+/\d+\b")
_IDLE_HINTS = re.compile(r"\? for shortcuts|esc again to edit")
_BOX_FOOTER = re.compile(r"^ {2,}\S.* · \S|← for agents", re.MULTILINE)
_VIM_NORMAL = re.compile(r"\bVim: Normal\b")
"""Mode of `/vim` in the status line, in which control keys do not edit the draft (0.171)."""
_TOP_ROWS = 2
"""Highest row of a box that fills the pane and hides the status line (0.171)."""
_STATUS_LINE = re.compile(r"^ {2}\S.* · \S|← for agents", re.MULTILINE)
_DONE_PREFIXES = (
    "Ran ",
    "Exited ",
    "Explored",
    "Edited ",
    "Added ",
    "Deleted ",
    "Called ",
    "Searched ",
    "Updated Plan",
)
_DIALOGS: tuple[tuple[re.Pattern[str], WaitingFor], ...] = (
    (re.compile(r"hooks? needs? review", re.IGNORECASE), "hooks_trust"),
    (re.compile(r"Trust this folder\?|Do you trust the (?:contents|files)|^\s*Folder access", re.MULTILINE), "trust"),
    (re.compile(r"Sign in |Choose how you want to use Codex|Welcome to Codex"), "login"),
    (re.compile(r"Update available"), "update"),
    (re.compile(r"Question \d+/\d+|enter to submit answer"), "question"),
    (re.compile(r"Would you like to|Do you want to (?:approve|allow)|needs your approval|Allow "), "permission"),
    (re.compile(r"Press enter to confirm or esc to cancel"), "permission"),
)


def read_screen(screen: str, *, fresh: bool = False) -> AgentReport | None:
    """Return the report of the screen, or None; `fresh`: codex was started a moment ago."""
    lines = [line for line in screen.splitlines() if line.strip()]
    if not lines:
        return None
    dialog_report = find_dialog(lines)
    if dialog_report is not None:
        return dialog_report
    at = _input_row(lines)
    if at < 0:
        return None
    for row in range(at - 1, max(-1, at - 12), -1):
        if found := _BUSY.match(lines[row]):
            below = lines[row + 1].strip() if row + 1 < at else ""
            return _busy_report(found[1].strip(), below)
    if fresh and not _STATUS_LINE.search("\n".join(lines[at:])):
        return _build_report("starting", "")
    return _idle_report(lines[:at])


def _input_row(lines: list[str]) -> int:
    """Return the row of the input box, or -1: below it everything is indented."""
    return _last_flush_row(lines, _INPUT)


def _last_flush_row(lines: list[str], pattern: re.Pattern[str]) -> int:
    """Return the last row that is not indented if it matches, or -1."""
    for row in range(len(lines) - 1, -1, -1):
        if lines[row].strip() and not lines[row].startswith("  "):
            return row if pattern.match(lines[row]) else -1
    return -1


def find_dialog(lines: list[str]) -> AgentReport | None:
    """Return the dialog or overlay in place of the input box, recognised by the keys in its last lines."""
    last = "\n".join(lines[-2:])
    if not _FOOTER.search(last) or _IDLE_HINTS.search(last) or _input_row(lines) >= max(0, len(lines) - 4):
        return None
    region = lines[_dialog_start(lines) :]
    text = "\n".join(region)
    for pattern, kind in _DIALOGS:
        if found := pattern.search(text):
            return _build_report("waiting", kind, _dialog_heading(text, found.start(), kind))
    first = next((line for line in region if re.search(r"[^\W_]{3}", line)), "")
    return _build_report("waiting", "dialog", " ".join(first.split())[:200])


def _dialog_start(lines: list[str]) -> int:
    """Return the row where the dialog begins: after the last line of the conversation."""
    for row in range(len(lines) - 3, -1, -1):
        if _MARK.match(lines[row]) and not _CHOICE.match(lines[row]):
            return row + 1
    return 0


def _dialog_heading(text: str, at: int, kind: WaitingFor) -> str:
    """Return the question line; for a permission also its subject."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].partition("\n")[0].strip()
    if kind == "question":
        return text[start:].partition("\n")[2].partition("\n")[0].strip()[:200] or line
    command = re.search(r"^ {2}\$ (.+)", text, re.MULTILINE)
    return (command[1].strip() if command and kind == "permission" else line)[:200]


def find_choices(screen: str) -> tuple[ScreenChoice, ...]:
    """Return the choices of the dialog on the screen; empty if no dialog is open."""
    lines = [line for line in screen.splitlines() if line.strip()]
    return choices.find_choices("\n".join(lines[_dialog_start(lines) :])) if find_dialog(lines) else ()


def question_part(screen: str) -> list[str]:
    """Return the lines of the open dialog; none if no dialog is open."""
    lines = [line for line in screen.splitlines() if line.strip()]
    part = lines[_dialog_start(lines) :] if find_dialog(lines) else []
    heads = [row for row, line in enumerate(part) if _QUESTION_HEAD.match(line)]
    part = part[heads[-1] :] if heads else part  # above it may be more lines of the prompt
    return [line for line in part if not line.strip().startswith("│")]  # the command as codex shows it while it runs


def find_composer(screen: str) -> Composer:
    """Return the input box on a screen captured with styles; without them only known hints count as empty."""
    plain, typed = styled.split_faint(screen.rstrip())
    lines, rows = plain.split("\n"), typed.split("\n")
    if find_dialog([line for line in lines if line.strip()]):
        return Composer("none")
    mode = _find_mode(lines)
    if mode:
        return Composer("mode", mode)
    at = _input_row(lines)
    if at < 0:
        return Composer("none")
    end = _find_box_end(lines, at)
    text = "\n".join([rows[at][1:].strip(), *(row.removeprefix("  ").rstrip() for row in rows[at + 1 : end])]).strip(
        "\n"
    )
    if not text.strip() or (plain is typed and text in PLACEHOLDERS):
        return Composer("empty")
    is_normal_mode = bool(_VIM_NORMAL.search("\n".join(lines[end:])))
    return Composer("holds", text, end == len(lines) and at <= _TOP_ROWS, ("A",) if is_normal_mode else ())


def _find_box_end(lines: list[str], at: int) -> int:
    """Return the row after the box: a blank one and the status line follow, unless the draft fills the pane."""
    blank = next((row for row in range(len(lines) - 1, at, -1) if not lines[row].strip()), len(lines))
    if _BOX_FOOTER.search("\n".join(lines[blank:])) or (lines[at][1:].strip() and at > _TOP_ROWS):
        return blank
    return len(lines)


def _find_mode(lines: list[str]) -> str:
    """Return the mode in which the box does not take a prompt; else empty."""
    if any(line.strip().startswith(_HISTORY_SEARCH) for line in lines[-2:]):
        return "the history search"
    return "the shell mode" if _last_flush_row(lines, _SHELL_INPUT) >= 0 else ""


PLACEHOLDERS = ("", "Ask Codex to do anything", "Ask a follow-up question")


def pending_texts(screen: str) -> list[str]:
    """Return texts accepted while codex was busy and not yet given to the model."""
    return [line.strip()[1:].strip() for line in screen.splitlines() if line.strip().startswith("↳ ")]


def _build_report(state: AgentState, waiting_for: WaitingFor, detail: str = "") -> AgentReport:
    return AgentReport(source="screen", state=state, waiting_for=waiting_for, detail=detail)


def _busy_report(activity: str, below: str) -> AgentReport:
    if not _RETRY.search(activity):
        return _build_report("thinking", "", activity[:200])
    text = f"{activity} {below.removeprefix('└').strip()}" if below.startswith("└") else activity
    kind = classify_error(None, text)
    return AgentReport(source="screen", state="retrying", error="" if kind == "unknown" else kind, detail=text[:200])


def retry_report(screen: str) -> AgentReport | None:
    """Report a retry if the newest line of a run's output shows one."""
    lines = [line.strip() for line in screen.splitlines() if line.strip()]
    if not lines or not re.match(r"(?:ERROR|WARN\w*): (?:Reconnecting|Server is busy)", lines[-1]):
        return None
    return _busy_report(lines[-1].partition(": ")[2], "")


def _idle_report(above: list[str]) -> AgentReport:
    """Return the end of the newest turn on the screen, if there is no sign of work."""
    start = next((row for row in range(len(above) - 1, -1, -1) if above[row].startswith("› ")), 0)
    turn = above[start:]
    end = next((line for line in reversed(turn) if line.startswith(("■ ", "  Worked for "))), "")
    if end.startswith("■ "):
        return _turn_end_report(end[2:].strip())
    if not end and any(line.startswith("• ") and not line[2:].startswith(_DONE_PREFIXES) for line in turn):
        # an answer without its `Worked for` line is still in progress
        return _build_report("streaming", "", "an answer is being written")
    return _build_report("idle", "prompt")


def _turn_end_report(message: str) -> AgentReport:
    if message.startswith("Conversation interrupted"):
        return _build_report("interrupted", "prompt")
    kind = classify_error(None, message)
    return AgentReport(
        source="screen", state="error", waiting_for=error_waiting_for(kind), error=kind, detail=message[:200]
    )


_UNKNOWN_COMMAND = re.compile(r"^• (Unrecognized command '([^']+)'.*)$")
ECHO_LENGTH = 20
_HOOK_STOP = re.compile(r"^• (?:Blocked by hook|Hook stopped)$")


def find_unknown_command(screen: str, command: str) -> str:
    """Return codex's words if its newest entry says that it does not know the command (it records nothing)."""
    for line in reversed(_conversation_lines(screen)):
        if line.startswith("• "):
            found = _UNKNOWN_COMMAND.match(line)
            return found[1] if found and found[2] == command else ""
    return ""


def find_hook_reason(screen: str, prompt: str) -> str:
    """Return the words of the hook that refused this prompt, the newest one; empty if they are not on the screen."""
    lines = _conversation_lines(screen)
    echoes = [row for row, line in enumerate(lines) if line.startswith("› ")]
    shown = lines[echoes[-1]][2:].strip() if echoes else ""
    if not shown or not prompt.startswith(shown[:ECHO_LENGTH].rstrip()):
        return ""
    at = next((row for row in range(echoes[-1], len(lines)) if _HOOK_STOP.match(lines[row])), len(lines))
    reason = []
    for line in lines[at + 1 :]:
        if not line.startswith("  ") or line.startswith("  Worked for "):
            break
        reason.append(line.strip().removeprefix("└ "))
    return " ".join(reason)


def _conversation_lines(screen: str) -> list[str]:
    """Return the non-empty lines above the input box."""
    lines = [line.rstrip() for line in screen.splitlines() if line.strip()]
    at = _input_row(lines)
    return lines[:at] if at >= 0 else lines
