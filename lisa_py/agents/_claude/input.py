"""Input to claude: the keys its input box needs, and the evidence of acceptance."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence

import msgspec
from msgspec import Struct, structs

from lisa_py.agents._claude import session, transcript
from lisa_py.agents.base import Acceptance, Binding, InputPlan, View, needs_leading_space
from lisa_py.contract.frames import REFUSALS, Frame
from lisa_py.host import files
from lisa_py.terminal import invisible

CLOCK_SLACK_SECONDS = 0.05
JUST_STARTED_SECONDS = 1.0
SETTLE_SECONDS = 0.4
"""A just started claude (2.1.197) accepts a paste and swallows an Enter directly after it."""
SLOW_PASTE_VERSION = "2.1.1"
"""Versions in which keys directly after a paste become part of it: Enter is lost, or the text stays in the box."""
PASTE_SETTLE_SECONDS = 0.15
MAX_IMAGE_TEXT = 4000
MAX_DRAFT_ROWS = 60
HISTORY_TAIL = 1 << 16


class _HistoryEntry(Struct, rename={"session_id": "sessionId"}):
    """Fields read from a line of history.jsonl."""

    display: str = ""
    timestamp: float = 0.0
    session_id: str = ""


_decode_entry = msgspec.json.Decoder(_HistoryEntry).decode
_SPACE = re.compile(r"\s+")
_HOOK_NAME = re.compile(r"^\[[^\]\n]*\]: ")
_IMAGE = re.compile(r"\[Image #\d+\]")
_PLACEHOLDER = re.compile(r"\[Pasted text #\d+(?: \+(\d+) lines?)?\]")
_IMAGES_ONLY = re.compile(r"(?:\[Image #\d+\]\s*)+")
_IMAGE_PATH = re.compile(r"\S\.(?:png|jpe?g|gif|webp)(?=['\"]?(?:\s|$))", re.IGNORECASE)
"""End of a path that claude turns into an attachment if the text holds nothing else."""


def is_placeholder(draft: str, text: str) -> bool:
    """Return True for the folded form of a text: it names the number of line breaks, or none for a long line."""
    found = _PLACEHOLDER.fullmatch(draft.strip())
    return bool(found and int(found[1] or 0) == text.strip("\n").count("\n"))


def clear_keys(draft: str) -> tuple[str, ...]:
    """Return the keys that empty the box: C-u deletes a row before the cursor, C-k one after it, and twice also the
    line break; vim leaves a character.
    """
    rows = min(draft.count("\n") + 1, MAX_DRAFT_ROWS)
    return (*("C-u",) * (2 * rows), *("C-k",) * (2 * rows), "DC")


def prepare_input(text: str, view: View) -> InputPlan:
    """Return how to type a text: everything is pasted; some texts need an extra key."""
    ends_in_backslash = text.rstrip("\n").endswith("\\")  # Enter behind it makes a new line
    found = session.read_session_file(view)
    just_started = (
        found is not None and view.now - found.changed_at < JUST_STARTED_SECONDS and session.has_only_started(view)
    )
    slow_paste = view.meta.agent_version.startswith(SLOW_PASTE_VERSION)
    return InputPlan(
        # else the text runs as a shell command, unasked; a separate key can come too late (2.1.197)
        prefix=" " if needs_leading_space(text) else "",
        before_enter=("C-a",) if ends_in_backslash else (),
        settle_seconds=SETTLE_SECONDS if just_started else PASTE_SETTLE_SECONDS if slow_paste else 0.0,
        # a path of an image is read first; an Enter before the attachment shows is lost (2.1.332)
        wait_for_echo=slow_paste or (_IMAGE_PATH.search(text) is not None and len(text) < MAX_IMAGE_TEXT),
    )


def find_acceptance(text: str, since: float, view: View, binding: Binding) -> Acceptance:
    """Return the evidence of hooks, transcript, prompt history and session file, as far as they are of this session."""
    wanted = normalize_text(text)
    since -= CLOCK_SLACK_SECONDS
    record = _find_in_frames(text, wanted, [frame for frame in view.frames if frame.at >= since])
    if record.refusal or record.source:
        return record
    hook = _find_in_hooks(text, wanted, since, view, binding)
    if hook.source or hook.joined_with or record.joined_with:
        return hook if hook.source or not record.joined_with else record
    if _in_history(wanted, since, view, binding):
        return Acceptance(source="agent_file", provisional=True)
    is_command = wanted.startswith("/")
    if (view.hooks or view.frames) and not is_command:
        return Acceptance()  # a prompt leaves a record; `busy` may come from the previous prompt
    found = session.read_session_file(view)
    if found is not None and found.status in ("busy", "waiting") and found.changed_at >= since + CLOCK_SLACK_SECONDS:
        return Acceptance(source="agent_file", provisional=True)
    return Acceptance()


def _find_in_hooks(text: str, wanted: str, since: float, view: View, binding: Binding) -> Acceptance:
    """Return the evidence of the hooks: a prompt hook runs beside those of the user, which may still block it."""
    later = False
    joined = Acceptance()
    for hook in reversed(view.hooks):
        at = hook.get("at")
        if not isinstance(at, int | float) or at < since:
            break
        name, prompt = hook.get("hook"), hook.get("prompt")
        if name == "SessionStart" and hook.get("source") == "clear" and wanted.startswith("/clear"):
            return Acceptance(source="hook")
        if hook.get("agent_id") or session.is_foreign(hook, binding):
            continue
        if name != "UserPromptSubmit":
            later = later or name in ("PreToolUse", "PostToolUse", "PermissionRequest", "Stop", "StopFailure")
            continue
        # a payload over the size limit lacks its prompt
        found = _compare_texts(text, wanted, prompt) if isinstance(prompt, str) else Acceptance(source="hook")
        if found.joined_with:
            joined = found
        elif found.source:
            return structs.replace(found, source="hook", provisional=not later)
    return joined


def _find_in_frames(text: str, wanted: str, frames: Sequence[Frame]) -> Acceptance:
    """Return the evidence of the transcript: it keeps an accepted prompt, and says why another one was refused."""
    found = Acceptance()
    for at, frame in enumerate(frames):
        if frame.kind == "system" and frame.reason in REFUSALS:
            reason = _refusal_of(wanted, frame, frames[:at])
            if reason is not None:
                return Acceptance(refusal=REFUSALS[frame.reason], reason=reason)
        elif frame.kind in ("user", "system") and not found.source:
            seen = _compare_texts(text, wanted, frame.text)
            if seen.source:
                found = structs.replace(seen, source="transcript")
            elif frame.kind == "user" and seen.joined_with:
                found = seen
    return found


def _refusal_of(wanted: str, frame: Frame, before: Sequence[Frame]) -> str | None:
    """Return the words of a refusal of this text; None if it refuses another one."""
    if frame.text.startswith(transcript.BLOCKED):
        reason, _, prompt = frame.text.removeprefix(transcript.BLOCKED).partition("Original prompt: ")
        return _HOOK_NAME.sub("", reason.strip()) if normalize_text(prompt) == wanted else None
    if frame.text.startswith(transcript.STOPPED):
        prompts = [item for item in before[-3:] if item.kind == "user" and item.text != frame.text]  # 2.1.197 adds one
        is_prompt = bool(prompts) and normalize_text(prompts[-1].text) == wanted
        return frame.text.removeprefix(transcript.STOPPED).strip() if is_prompt else None
    if frame.text == transcript.COMMAND_FORM:
        return frame.text if wanted.startswith("/") else None
    name = frame.text.removeprefix(transcript.UNKNOWN_COMMAND)
    return frame.text if re.match(re.escape(wanted.split(" ")[0]) + r"(?:[.\s]|$)", name) else None


def _compare_texts(text: str, wanted: str, seen: str) -> Acceptance:
    """Return an acceptance if this is the text, as claude writes it down, and nothing else."""
    seen = transcript.strip_paste_tags(seen)
    found = normalize_text(seen)
    if found == wanted:
        return Acceptance(source="text", altered=_list_alterations(text, seen))
    images = _IMAGE_PATH.findall(wanted)
    if images and _IMAGES_ONLY.fullmatch(found) and len(_IMAGE.findall(found)) == len(images):
        return Acceptance(source="text", altered={"image": len(images)})
    if wanted and wanted in found:
        return Acceptance(joined_with=found.replace(wanted, " ", 1).strip())
    return Acceptance()


def _list_alterations(text: str, seen: str) -> dict[str, int]:
    """Return what claude replaced: each tab by four spaces, invisible characters by nothing."""
    plain = invisible.strip_invisible(text)
    counts = {
        "tab": text.strip().count("\t") - seen.strip().count("\t"),
        "invisible": len(text) - len(plain) - (len(seen) - len(invisible.strip_invisible(seen))),
    }
    return {name: count for name, count in counts.items() if count > 0}


def _in_history(wanted: str, since: float, view: View, binding: Binding) -> bool:
    """Search the history: claude records a prompt at once, also a queued one (2.1.197 gives no other sign of it)."""
    path = os.path.join(session.session_config_folder(view), "history.jsonl")
    size = files.size(path)
    if size <= 0 or files.modified_at(path) < since or not binding.session_id:
        return False
    for line in reversed(files.read_from(path, max(0, size - HISTORY_TAIL), HISTORY_TAIL).splitlines()):
        try:
            entry = _decode_entry(line)
        except ValueError:
            continue
        if entry.timestamp < since * 1000:
            return False
        if entry.session_id == binding.session_id and _compare_texts("", wanted, entry.display).source:
            return True
    return False


def normalize_text(text: str) -> str:
    """Return a text without white space, Unicode variants and invisible characters."""
    return _SPACE.sub(" ", invisible.strip_invisible(unicodedata.normalize("NFC", text))).strip()
