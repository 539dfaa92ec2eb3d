"""Input to codex, and the evidence of its acceptance."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct, structs

from lisa_py.agents._codex import screen
from lisa_py.agents._codex.session import open_threads, session_config_folder, thread_created_at
from lisa_py.agents.base import Acceptance, Binding, InputPlan, View, needs_leading_space
from lisa_py.contract.frames import Frame
from lisa_py.host import files

HISTORY_TAIL = 1 << 18
_CLOCK_SLACK_SECONDS = 0.05
_PLACEHOLDER = re.compile(r"\[Pasted Content (\d+) chars\](?: #\d+)?")
_OPENS_COMPLETIONS = re.compile(r"(\A|\s)[@$]\S*\Z")
"""Such a last word opens a completion list, and Enter would select from it instead of sending the text."""


class _HistoryEntry(Struct):
    session_id: str = ""
    ts: int = 0
    text: str = ""


def is_placeholder(draft: str, text: str) -> bool:
    """Return True for the folded form of a text, which names its length."""
    found = _PLACEHOLDER.fullmatch(draft.strip())
    return bool(found and int(found[1]) in (len(text), len(text.rstrip("\n"))))


def clear_keys(draft: str) -> tuple[str, ...]:
    """Return the keys that empty the box: never C-c, which ends codex if the box is empty already."""
    rows = draft.count("\n") + 1
    return (*("C-u",) * (2 * rows), *("C-k",) * (2 * rows))


def prepare_input(text: str, view: View) -> InputPlan:
    """Return how to type a text: a bracketed paste and Enter work at every size, also for slash commands."""
    # else it runs as a shell command, without sandbox and approval, or is refused as an unknown command
    lead = " " if needs_leading_space(text) else ""
    word = _OPENS_COMPLETIONS.search(text)
    if word is None:
        return InputPlan(prefix=lead)
    # leave the word, and its line if the word begins it; a single word needs a line above it for the cursor
    return InputPlan(before_paste=() if word[1] else ("C-j",), prefix=lead, before_enter=("C-a", "C-a"))


def find_acceptance(text: str, since: float, view: View, binding: Binding) -> Acceptance:
    """Return the evidence: transcript, hook, agent_file (the prompt history), screen.

    History and hook come before the hooks of the user have accepted the prompt; the transcript keeps it afterwards.
    """
    wanted = _normalize_text(text)
    if wanted.startswith("/") and (words := screen.find_unknown_command(view.screen, wanted.split()[0])):
        return Acceptance(refusal="command_unknown", reason=words)
    frames = [frame for frame in view.frames if frame.at >= since - _CLOCK_SLACK_SECONDS]
    joined = Acceptance()
    for frame in reversed(frames):
        if frame.kind == "user" and (found := _compare_texts(wanted, frame.text)).source:
            return structs.replace(found, source="transcript")
        if frame.kind == "user" and found.joined_with:
            joined = found
    seen, joined = _find_in_hooks(wanted, since, view, joined)
    if wanted.startswith("/") and not seen and (source := _command_evidence(since, view, binding)):
        return Acceptance(source=source)
    seen = seen or ("agent_file" if _in_history(wanted, since, view, binding) else "")
    if seen and _is_blocked(frames):
        return Acceptance(refusal="prompt_blocked_by_hook", reason=screen.find_hook_reason(view.screen, wanted))
    if seen:
        return Acceptance(source=seen, provisional=not _is_queued(view.frames, since))
    if _is_pending(wanted, view):
        return Acceptance(source="screen")
    return joined


def _find_in_hooks(wanted: str, since: float, view: View, joined: Acceptance) -> tuple[str, Acceptance]:
    """Return the sign of a prompt hook with this text, else what it was joined with."""
    for entry in reversed(view.hooks):
        at = entry.get("at")
        if not isinstance(at, (int, float)) or at < since - _CLOCK_SLACK_SECONDS:
            break
        if entry.get("hook") == "UserPromptSubmit":
            found = _compare_texts(wanted, str(entry.get("prompt") or ""))
            if found.source:
                return "hook", Acceptance()
            joined = found if found.joined_with else joined
    return "", joined


def _compare_texts(wanted: str, seen: str) -> Acceptance:
    found = _normalize_text(seen)
    if found == wanted:
        return Acceptance(source="text")
    return Acceptance(joined_with=found.replace(wanted, " ", 1).strip() if wanted and wanted in found else "")


def _is_blocked(frames: Sequence[Frame]) -> bool:
    """Return True if a turn has ended without anything in it: a hook refused its prompt, which is not recorded."""
    for before, frame in itertools.pairwise(frames):
        if before.kind == "turn_start" and frame.kind == "turn_end" and frame.reason == "completed":
            return True
    return False


def _is_queued(frames: Sequence[Frame], since: float) -> bool:
    """Return True if a turn was running when the text was sent: the transcript gets it once that turn takes it."""
    edges = [frame for frame in frames if frame.kind in ("turn_start", "turn_end") and frame.at < since]
    return bool(edges) and edges[-1].kind == "turn_start"


def _command_evidence(since: float, view: View, binding: Binding) -> str:
    """Return the evidence of a codex command: a turn (/compact, /review) or a new thread (/new, /clear)."""
    if any(frame.kind == "turn_start" and frame.at >= since - _CLOCK_SLACK_SECONDS for frame in view.frames):
        return "transcript"
    newest_thread_at = (
        max((thread_created_at(thread) for thread in open_threads(binding.pid)), default=0.0) if binding.pid else 0.0
    )
    return "agent_file" if newest_thread_at >= since - _CLOCK_SLACK_SECONDS else ""


def _in_history(wanted: str, since: float, view: View, binding: Binding) -> bool:
    """Search the history: codex records a prompt at once, also one queued behind a tool."""
    path = os.path.join(session_config_folder(view), "history.jsonl")
    size = files.size(path)
    if size <= 0 or files.modified_at(path) < since - 1 or not binding.session_id:
        return False
    decoder = msgspec.json.Decoder(_HistoryEntry)
    for line in reversed(files.read_from(path, max(0, size - HISTORY_TAIL), HISTORY_TAIL).splitlines()):
        try:
            entry = decoder.decode(line)
        except ValueError:
            continue
        if entry.ts < int(since):
            return False
        if entry.session_id == binding.session_id and _normalize_text(entry.text) == wanted:
            return True
    return False


def _is_pending(wanted: str, view: View) -> bool:
    """Return True if the text is below the input box, queued behind the running tool."""
    first = wanted.partition("\n")[0].strip()
    pending_texts = screen.pending_texts(view.screen)
    return any(text == first or (len(text) > 20 and first.startswith(text.rstrip(".…"))) for text in pending_texts)


def _normalize_text(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))
