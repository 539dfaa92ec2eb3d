"""Read claude's screen: the state shown by its last lines; the last resort, and the only sign of some dialogs."""

from __future__ import annotations

import re

from lisa_py.agents._claude.errors import classify_error
from lisa_py.agents.base import Composer
from lisa_py.contract.status import AgentReport, AgentState, WaitingFor
from lisa_py.terminal import styled

DIALOGS: tuple[tuple[str, WaitingFor], ...] = (
    ("Do you trust the files in this folder", "trust"),
    ("Is this a project you created or one you trust", "trust"),
    ("Yes, I trust this folder", "trust"),
    ("running in Bypass Permissions mode", "bypass"),
    ("Do you want to use this API key", "api_key"),
    ("Select login method", "login"),
    ("Type something", "question"),
    ("Chat about this", "question"),
    ("Ready to submit your answers", "question"),
    ("Review your answers", "question"),
    ("Do you want to proceed?", "permission"),
    ("Do you want to make this edit", "permission"),
    ("Do you want to create", "permission"),
    ("Do you want to overwrite", "permission"),
    ("Do you want to allow", "permission"),
    ("Would you like to proceed", "permission"),
    ("Exit plan mode?", "permission"),
    ("What do you want to do?", "limit"),
)
"""Texts of dialogs that end with their answer keys; the first match counts."""
BARE_DIALOGS: tuple[tuple[str, WaitingFor], ...] = (
    ("Choose the text style that looks best", "dialog"),
    ("Paste code here if prompted", "login"),
    ("Press Enter to continue", "dialog"),
)
"""Start-up screens with other endings."""
BANNER_LINES = 30
"""Maximum height of the welcome screen alone."""
_CONFIRM = re.compile(
    r"Enter to (?:confirm|select|stay)|Esc to (?:cancel|exit|close|go back|reject|skip|clear)"
    r"|Space to select|↑/↓ to navigate"
)
_RULE = re.compile(r"^[─▔━]{8,}|^─{3} \S.{0,60} ─{8,}")  # 2.1.332 titles that of an earlier prompt
_CHOICE = re.compile(r"^\s*❯\s+\d+\.\s")
_TAB = re.compile(r"^\s*(?:← )?\s*[☐☒✔] \S")
DETAIL_LIMIT = 120
_RETRY = re.compile(r"(?:retrying in \d+|Retrying in \d+|Retrying…)")
_HELPERS = re.compile(r"^\s*\S Waiting for \d+ background agents? to finish")
_TOKENS = re.compile(r"[↓]\s*[\d.]+k?\s*tokens")
_ERROR = re.compile(
    r"^\s*[●⎿]\s+(?P<text>(?:API Error: |Please run /login|Invalid API key|Not logged in|Credit balance"
    r"|Prompt is too long|Context limit|There's an issue with the selected model"
    r"|.*limit reached|You've (?:hit|reached) your|You're out of (?:usage|extra)).*)$"
)
_PROMPT = re.compile(r"^❯ \S")
_TOOL = re.compile(r"^\s*⎿\s+(?:\$ |Running…)")
_INTERRUPTED = "⎿  Interrupted"
_INPUT = re.compile(r"^\s*[❯!](?: |$)")
_MODES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Claude Code (?:is|has been) suspended"), "that claude is suspended (kill -CONT resumes it)"),
    (
        re.compile(r"\benter to (?:create|return|open|collapse|expand)\b|ctrl\+x to (?:delete|remove)\b"),
        "the agents view, whose box starts other sessions",
    ),
    (re.compile(r"\bsearch prompts:"), "the history search"),
    (re.compile(r"Showing detailed transcript"), "the transcript view"),
)
"""Text below the place of the input box, and the mode (2.1.332, 2.1.197)."""
_HINT = re.compile(r'Press (?:up|Enter) to |Try "|Message @|Taking your message back')
"""Beginnings of the hints in an empty box (2.1.332), which nothing but their words shows without colours."""
_BOX_FOOTER = re.compile(r"⏵⏵|⏸|shift\+tab|\? for shortcuts|← for agents|/effort|ctrl\+[gy] |esc to interrupt")
"""Text below the input box alone."""


def read_screen(screen: str) -> AgentReport | None:
    """Return the report of the screen, or None if it shows nothing of claude."""
    lines = _nonblank_lines(screen)
    if not lines:
        return None
    if any("Resume this session with:" in line for line in lines[-5:]):
        return _build_report("exited")
    found = _find_dialog(lines) or _busy_report(lines) or _idle_report(lines)
    if found is not None:
        return found
    banner = any("Welcome to Claude Code" in line or "Claude Code v" in line for line in lines)
    return _build_report("starting") if banner and len(lines) <= BANNER_LINES else None


def _build_report(state: AgentState, *, error: str = "", detail: str = "") -> AgentReport:
    return AgentReport(source="screen", state=state, error=error, detail=detail)


def _find_dialog(lines: list[str]) -> AgentReport | None:
    """Return the dialog: it replaces the input box with choices and a last line of answer keys."""
    if _has_input_box(lines):
        return None
    tail = lines[-30:]
    whole = "\n".join(tail)
    has_keys = _CONFIRM.search(" ".join(line.strip() for line in tail[-3:]))
    if not has_keys and not any(_CHOICE.match(line) for line in tail[-12:]):
        return next((_dialog_report(kind, words) for words, kind in BARE_DIALOGS if words in whole), None)
    kind: WaitingFor = next((kind for words, kind in DIALOGS if words in whole), "dialog")
    return _dialog_report(kind, _dialog_title(tail))


def _dialog_report(kind: WaitingFor, detail: str) -> AgentReport:
    return AgentReport(source="screen", state="waiting", waiting_for=kind, detail=detail)


def _dialog_title(tail: list[str]) -> str:
    """Return the line below the upper edge of the dialog; of a question, the question."""
    for at, line in enumerate(tail[:-1]):
        if _TAB.match(line):
            return tail[at + 1].strip()[:DETAIL_LIMIT]
    for at in range(len(tail) - 2, -1, -1):
        if _RULE.match(tail[at].strip()):
            return tail[at + 1].strip()[:DETAIL_LIMIT]
    return ""


def _has_input_box(lines: list[str]) -> bool:
    return _input_row(lines) >= 0


def _input_row(lines: list[str]) -> int:
    """Return the row of the input line (between two rulers, which begin at the edge); -1 if there is none."""
    rules = [at for at, line in enumerate(lines) if _RULE.match(line)]
    if len(rules) < 2:
        return -1
    upper, lower = rules[-2], rules[-1]
    return upper + 1 if lower > upper + 1 and _INPUT.match(lines[upper + 1]) else -1


def find_composer(screen: str) -> Composer:
    """Return the input box on a screen captured with styles; without them a faint hint looks like typed text."""
    plain, typed = styled.split_faint(screen.replace("\u00a0", " "))
    rows = typed.split("\n")
    shown = [(at, row.rstrip()) for at, row in enumerate(plain.split("\n")) if row.strip()]
    lines = [row for _, row in shown]
    footer = "\n".join(_footer_lines(lines))
    mode = next((name for pattern, name in _MODES if pattern.search(footer)), "")
    if mode:
        return Composer("mode", mode)
    at = _input_row(lines)
    if at < 0:
        return _find_cut_box(shown, rows)
    if lines[at].strip().startswith("!"):
        return Composer("mode", "the shell mode")
    below = next(row for row in range(at, len(lines)) if _RULE.match(lines[row]))
    first = shown[at][0]
    text = _join_draft([rows[first].replace("❯", " ", 1), *rows[first + 1 : shown[below][0]]])
    is_hint = _HINT.match(text) and "\n" not in text and styled.is_colourless(screen)
    return Composer("holds", text) if text.strip() and not is_hint else Composer("empty")


def _find_cut_box(shown: list[tuple[int, str]], rows: list[str]) -> Composer:
    """Return the box of a draft taller than the pane: its upper ruler and its first rows are above the screen."""
    rules = [at for at, (_, line) in enumerate(shown) if _RULE.match(line)]
    if len(rules) != 1 or not rules[0]:
        return Composer("none")
    above, footer = shown[: rules[0]], "\n".join(line for _, line in shown[rules[0] + 1 :])
    is_draft = all(line.startswith("  ") for _, line in above)
    if not is_draft or _CONFIRM.search(footer) or not _BOX_FOOTER.search(footer):
        return Composer("none")
    return Composer("holds", _join_draft(rows[: shown[rules[0]][0]]), cut=True)


def _join_draft(rows: list[str]) -> str:
    """Return the draft in the rows of the box without their margin."""
    return "\n".join(row.removeprefix("  ").rstrip() for row in rows).strip("\n")


def _footer_lines(lines: list[str]) -> list[str]:
    """Return the lines below the input box: mode, keys, helpers at work."""
    rules = [at for at, line in enumerate(lines) if _RULE.match(line.strip())]
    return lines[rules[-1] + 1 :] if rules else lines[-2:]


def _busy_report(lines: list[str]) -> AgentReport | None:
    above = _conversation_lines(lines)[-8:]
    if above and _HELPERS.match(above[-1]):
        return _build_report("thinking", detail="helpers in the background")
    if not any("esc to interrupt" in line for line in _footer_lines(lines)):
        return None
    for line in reversed(above):
        if _RETRY.search(line):
            text = line.lstrip(" ·✢✳✶✻✽*●∗")
            return _build_report("retrying", error=classify_error("", None, text), detail=text[:DETAIL_LIMIT])
        if _TOOL.match(line):
            return _build_report("tool", detail=line.strip(" ⎿$")[:DETAIL_LIMIT])
    return _build_report("streaming" if any(_TOKENS.search(line) for line in above) else "thinking")


def _idle_report(lines: list[str]) -> AgentReport | None:
    if not _has_input_box(lines):
        return None
    for line in reversed(_conversation_lines(lines)[-20:]):
        if _INTERRUPTED in line:
            return _build_report("interrupted")
        problem = _ERROR.match(line)
        if problem is not None:
            text = problem["text"].strip()
            return _build_report("error", error=classify_error("", None, text), detail=text[:DETAIL_LIMIT])
        if _PROMPT.match(line):
            break  # the lines above belong to earlier turns
    return _build_report("idle")


def _conversation_lines(lines: list[str]) -> list[str]:
    """Return the lines of the conversation above the input box."""
    at = _input_row(lines)
    return lines[: at - 1] if at > 0 else lines


def dialog_part(screen: str) -> str:
    """Return the screen from the open dialog on, without the conversation; empty if no dialog is open."""
    lines = screen.replace("\u00a0", " ").split("\n")
    if _find_dialog(_nonblank_lines(screen)) is None:
        return ""
    prompts = [at for at, line in enumerate(lines) if _PROMPT.match(line) and not _CHOICE.match(line)]
    below = lines[prompts[-1] + 1 :] if prompts else lines
    return "\n".join(line.replace("❯ ✔ ", "❯   ", 1) for line in below)


def question_part(screen: str) -> list[str]:
    """Return the lines of the open dialog below its upper edge, without tabs and tips; none if no dialog is open."""
    lines = dialog_part(screen).split("\n")
    first = next((at for at, line in enumerate(lines) if _CHOICE.match(line)), len(lines))
    edges = [at for at, line in enumerate(lines[:first]) if _RULE.match(line.strip())]
    below = lines[edges[-1] + 1 :] if edges else lines
    return [line for line in below if not _TAB.match(line) and not line.strip().startswith("Tip: ")]


def _nonblank_lines(screen: str) -> list[str]:
    """Return the non-empty lines, with plain spaces."""
    return [line.rstrip() for line in screen.replace("\u00a0", " ").split("\n") if line.strip()]
