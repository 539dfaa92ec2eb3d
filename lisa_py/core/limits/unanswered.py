"""Deny the dialogs of a one-shot session that remain without an answer."""

from __future__ import annotations

from lisa_py.contract.dialogs import DialogDecision, OpenDialog
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send import answer, dialog_list
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef

ANSWER_SECONDS = 300.0
"""Longest time that a dialog waits for an answer while neither a terminal nor a client can give it."""
SEARCH_SECONDS = 30.0
"""Interval of looks: an agent may draw a dialog without an event (codex 0.171)."""
KINDS = ("permission", "question")
"""Dialogs about a tool call: without its answer the agent does something else."""
SURFACE = "timeout"


class UnansweredDialogs:
    """The open dialogs of one session, and since when they are."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref
        self._since: dict[str, float] = {}
        """Monotonic time of the first look, by id."""
        self._next_look = 0.0

    def check(self) -> None:
        """Look for dialogs, if it is time, and deny what has waited too long; a failure is tried again."""
        now = self._ctx.clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + SEARCH_SECONDS
        try:
            opened = [each for each in dialog_list.list_dialogs(self._ctx, self._ref) if each.kind in KINDS]
        except LisaError:
            return
        self._since = {each.id: self._since.get(each.id, now) for each in opened}
        late = [each for each in opened if now - self._since[each.id] >= ANSWER_SECONDS]
        if late and not self._is_attended():
            for each in late:
                self._deny(each)
        ends = (since + ANSWER_SECONDS for since in self._since.values())
        self._next_look = min((self._next_look, *(end for end in ends if end > now)))

    def _is_attended(self) -> bool:
        """Return True if a terminal shows the session, or somebody attached to it can answer."""
        terminals = self._ctx.tmux(self._ref.project).count_clients(self._ref.session)
        return terminals > 0 or session_records.is_attended(self._ref)

    def _deny(self, dialog: OpenDialog) -> None:
        reason = f"no answer came within {ANSWER_SECONDS / 60:.0f} minutes"
        message = reason if dialog.way == "hook" else ""  # on the screen it would be sent as a further prompt
        given = DialogDecision(kind="deny", by=SURFACE, message=message)
        try:
            answer.answer_dialog(self._ctx, self._ref, dialog.id, given)
        except LisaError:
            return
        self._since.pop(dialog.id, None)

    def next_check(self) -> float:
        """Return the seconds until the next look."""
        return max(0.0, self._next_look - self._ctx.clock.monotonic())
