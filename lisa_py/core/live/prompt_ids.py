"""Ids of the prompts of a session: each prompt is delivered once, also over restarts, and its frame bears its id."""

from __future__ import annotations

import contextlib
import threading

from msgspec import UNSET, structs

from lisa_py.contract.errors import LisaError
from lisa_py.contract.live import LiveFrame, UserPayload
from lisa_py.core.context import Context
from lisa_py.core.send import input_text
from lisa_py.host.clock import parse_time
from lisa_py.store import prompt_records
from lisa_py.store.paths import SessionRef
from lisa_py.store.prompt_records import PromptRecord

PROMPT_IDS = 200
"""Prompts of one session whose ids are kept."""
CLOCK_SLACK = 1.0


class PromptIds:
    """The prompts of one session that have an id."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ref = ref
        self._clock = ctx.clock
        self._lock = threading.Lock()
        self._records = {each.id: each for each in prompt_records.read_prompts(ref)}
        self._pending: set[str] = set()
        """Ids of this process whose delivery has not ended."""
        self._interrupted = {each.id for each in self._records.values() if not each.is_delivered}
        """Ids whose delivery another process began and did not end."""

    def add(self, prompt_id: str) -> bool:
        """Take an id; return False for one whose prompt was delivered, or is to be."""
        with self._lock:
            record = self._records.get(prompt_id)
            if prompt_id in self._pending or (record is not None and record.is_delivered):
                return False
            self._pending.add(prompt_id)
            return True

    def is_interrupted(self, prompt_id: str) -> bool:
        """Return True if another process may have delivered the prompt; its frame, if there is one, was not seen."""
        with self._lock:
            return prompt_id in self._interrupted

    def begin(self, prompt_id: str, text: str) -> bool:
        """Note that the delivery begins; return False if it has ended before. Raise LisaError(store_unwritable)."""
        shown = normalize_prompt(text)
        with self._lock:
            record = self._records.get(prompt_id)
            if record is not None and record.is_delivered:
                return False
            self._interrupted.discard(prompt_id)
            self._records.pop(prompt_id, None)
            self._records[prompt_id] = PromptRecord(
                id=prompt_id, digest=prompt_records.digest_text(shown), size=len(shown), at=self._clock.now()
            )
            while len(self._records) > PROMPT_IDS:
                del self._records[next(iter(self._records))]
            self._write()
        return True

    def end(self, prompt_id: str, *, is_delivered: bool) -> None:
        """Note the end of the delivery; the id of a prompt that was not delivered can be taken again."""
        with self._lock:
            self._pending.discard(prompt_id)
            record = self._records.get(prompt_id)
            if record is None or record.is_delivered:
                return
            if is_delivered:
                record.is_delivered = True
            else:
                del self._records[prompt_id]
            self._write_if_possible()

    def name(self, frame: LiveFrame) -> LiveFrame:
        """Return the frame of a prompt with the id that its client gave it."""
        payload = frame.payload
        if not isinstance(payload, UserPayload) or payload.prompt_id is not UNSET or not self._records:
            return frame
        with self._lock:
            records = self._records.values()
            found = next((each for each in records if each.cursor == frame.cursor), None)
            if found is None:
                found = self._find_expected(frame, payload.content)
                if found is not None:
                    found.cursor, found.is_delivered = frame.cursor, True
                    self._interrupted.discard(found.id)
                    self._write_if_possible()
        return frame if found is None else structs.replace(frame, payload=structs.replace(payload, prompt_id=found.id))

    def _find_expected(self, frame: LiveFrame, content: str) -> PromptRecord | None:
        """Return the first prompt without a frame that has this text and was sent before the frame."""
        shown, at, now = normalize_prompt(content), parse_time(frame.timestamp) or 0.0, self._clock.now()
        for each in self._records.values():
            is_clock_set_back = now < each.at
            if each.cursor or len(shown) < each.size or not (is_clock_set_back or at >= each.at - CLOCK_SLACK):
                continue
            if prompt_records.digest_text(shown[: each.size]) == each.digest:
                return each
        return None

    def _write(self) -> None:
        prompt_records.write_prompts(self._ref, list(self._records.values()))

    def _write_if_possible(self) -> None:
        with contextlib.suppress(LisaError):  # full disk, or a killed session: this process still knows
            self._write()


def normalize_prompt(text: str) -> str:
    """Return the text of a prompt as two records of it can be compared."""
    return " ".join(input_text.clean_text(text).text.split())
