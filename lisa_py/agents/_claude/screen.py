"""Reading claude's screen: what its last lines say it is doing; the last resort, and the only sign of some dialogs."""

from __future__ import annotations

import re

from lisa_py.agents._claude.transcript import error_kind
from lisa_py.contract.status import AgentReport, AgentState, WaitingFor

DIALOGS: tuple[tuple[str, WaitingFor], ...] = (
    ("Do you trust the files in this folder", "trust"),
    ("Is this a project you created or one you trust", "trust"),
    ("Yes, I trust this folder", "trust"),
    ("Bypass Permissions mode", "bypass"),
    ("Do you want to use this API key", "api_key"),
    ("Select login method", "login"),
    ("Choose the text style that looks best", "login"),
    ("Paste code here if prompted", "login"),
    ("Browser didn't open", "login"),
    ("Press Enter to continue", "login"),
    ("Do you want to proceed?", "permission"),
    ("Do you want to make this edit", "permission"),
    ("Do you want to create", "permission"),
    ("Do you want to overwrite", "permission"),
    ("Do you want to allow", "permission"),
    ("Would you like to proceed", "permission"),
    ("Ready to submit your answers", "question"),
    ("Type something.", "question"),
    ("Chat about this", "question"),
    ("Tab/Arrow keys to navigate", "question"),
)
_CONFIRM = re.compile(r"(?:Enter to (?:confirm|select|stay)|Esc to (?:cancel|exit)|↑/↓ to navigate)")
_RULE = re.compile(r"^[─▔━]{8,}")
_CHOICE = re.compile(r"^\s*❯\s+(?:\d+\.\s|\S)")
_RETRY = re.compile(r"(?:retrying in \d+|Retrying in \d+|Retrying…)")
_BUSY = re.compile(r"^\s*[·✢✳✶✻✽*●∗]\s+\S.*…(?:\s*\(.*)?$")
_TOKENS = re.compile(r"[↓]\s*[\d.]+k?\s*tokens")
_SETTLED = re.compile(r"^\s*[·✢✳✶✻✽*]\s+\S.* for (?:\d+[hms]\s?)+(?:\s|$|·)")
_ERROR = re.compile(r"^\s*(?:●\s+(?P<loud>API Error\b.*)|⎿\s+(?P<quiet>.*))$")
_QUIET_ERROR = re.compile(
    r"Invalid API key|Credit balance|Prompt is too long|API Error|limit reached|hit your limit|Please run /login"
)
_TOOL = re.compile(r"^\s*⎿\s+(?:\$ |Running…)")
_INTERRUPTED = "⎿  Interrupted"
_INPUT = re.compile(r"^\s*❯(?: |$)")


def read(screen: str) -> AgentReport | None:
    """What the screen shows, or None when it shows nothing of claude's."""
    lines = _lines(screen)
    if not lines:
        return None
    found = _dialog(lines) or _busy(lines) or _resting(lines)
    if found is not None:
        return found
    if any("Welcome to Claude Code" in line or "Claude Code v" in line for line in lines):
        return _says("starting")
    return None


def _says(state: AgentState, **more: str) -> AgentReport:
    return AgentReport(source="screen", state=state, **more)  # type: ignore[arg-type]


def _dialog(lines: list[str]) -> AgentReport | None:
    """A dialog replaces the input box: choices, and a last line that says which keys answer it."""
    tail = lines[-30:]
    last = " ".join(line.strip() for line in tail[-3:])
    if not _CONFIRM.search(last) or _has_input_box(lines):
        return None
    whole = "\n".join(tail)
    for words, kind in DIALOGS:
        if words in whole:
            return _says("waiting", waiting_for=kind, detail=_title(tail))
    return _says("waiting", waiting_for="dialog", detail=_title(tail))


def _title(tail: list[str]) -> str:
    """The line under the dialog's upper edge."""
    for at in range(len(tail) - 1, -1, -1):
        if _RULE.match(tail[at].strip()) and at + 1 < len(tail):
            return tail[at + 1].strip()[:120]
    return ""


def _has_input_box(lines: list[str]) -> bool:
    return _input_at(lines) >= 0


def _input_at(lines: list[str]) -> int:
    """Where the input line stands (between two rules); -1 when there is none."""
    rules = [at for at, line in enumerate(lines) if _RULE.match(line.strip())]
    if len(rules) < 2:
        return -1
    upper, lower = rules[-2], rules[-1]
    return upper + 1 if lower > upper + 1 and _INPUT.match(lines[upper + 1]) else -1


def _busy(lines: list[str]) -> AgentReport | None:
    foot = " ".join(lines[-2:])
    above = _above(lines)
    if "esc to interrupt" not in foot and not any(
        _BUSY.match(line) and "esc to interrupt" in line for line in above[-6:]
    ):
        return None
    for line in reversed(above[-8:]):
        if _RETRY.search(line):
            return _says("retrying", error=error_kind("", None, line), detail=line.strip(" ✻✽·*●⎿")[:120])
        if _TOOL.match(line):
            return _says("tool", detail=line.strip(" ⎿$")[:120])
    if any(_TOKENS.search(line) for line in above[-8:]):
        return _says("streaming")
    return _says("thinking")


def _resting(lines: list[str]) -> AgentReport | None:
    if not _has_input_box(lines):
        return None
    for line in reversed(_above(lines)[-8:]):
        if _INTERRUPTED in line:
            return _says("interrupted")
        problem = _ERROR.match(line)
        text = (problem["loud"] or problem["quiet"]).strip() if problem else ""
        if problem is not None and (problem["loud"] or _QUIET_ERROR.match(text)):
            return _says("error", error=error_kind("", None, text), detail=text[:160])
        if _SETTLED.match(line):
            break
    return _says("idle", waiting_for="")


def _above(lines: list[str]) -> list[str]:
    """The conversation's lines above the input box."""
    at = _input_at(lines)
    return lines[: at - 1] if at > 0 else lines


def draft(screen: str) -> str:
    """What stands in the input box, first line; may be a greyed hint, which plain text cannot tell apart."""
    lines = _lines(screen)
    at = _input_at(lines)
    return lines[at].strip()[1:].strip() if at >= 0 else ""


def _lines(screen: str) -> list[str]:
    """The lines that hold something, with plain spaces."""
    return [line.rstrip() for line in screen.replace("\u00a0", " ").split("\n") if line.strip()]


_NOISE = (
    re.compile(r"^\s*[▐▝▘▛▜█▙▟▀▄ ]{4,}\s+(?:Claude Code v|\S.*·|[/~])"),
    re.compile(r"^\s*[│|].*[│|]\s*$"),
    re.compile(r"^\s*[╭╰]─+"),
    re.compile(r"^\s*(?:Tips for getting started|Welcome to Claude Code|Run /init to create)"),
    re.compile(r"^\s*(?:⏸|⏵⏵) .*\bon\b"),
    re.compile(r"^\s*\? for shortcuts"),
    re.compile(r"tmux focus-events off"),
)


def is_noise(line: str) -> bool:
    """Whether a line is the welcome box, the start logo or the footer rather than output."""
    return any(pattern.search(line) for pattern in _NOISE)
