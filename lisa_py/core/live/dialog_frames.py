"""Report dialogs as frames: each when it opens, directly after its tool call, and once more when it is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.dialogs import PANE, DecisionRecord, DialogQuestion, OpenDialog, QuestionOption
from lisa_py.contract.live import ApprovalPayload, DialogPayload, Payload, QuestionPayload, SystemPayload
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.status.evidence import Evidence
from lisa_py.store.paths import SessionRef

CALL_KINDS = ("permission", "question")
"""Dialogs about a tool call."""


class DialogReporter:
    """The dialogs of one session that a feed has reported as open."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref
        self._found: dict[str, OpenDialog] = {}
        self._reported: dict[str, OpenDialog] = {}
        """Both by key in the store."""
        self._expects_hook = False
        self._agent = Agent()
        self._ended_calls: set[str] = set()
        """Ids of reported calls that have a result; the record of a hook may outlast it for a moment."""

    def read(self, evidence: Evidence, status: Status, *, awaits_hook: bool = True) -> None:
        """Find the dialogs that are open now.

        `awaits_hook`: the screen is not read for a dialog whose hook may be recorded in a moment.
        """
        from lisa_py.core.send import dialog_list  # noqa: PLC0415 - the recorded frames do not wait for it

        self._agent = agent = agents.get_or_default(status.agent)
        has_hooks = evidence.meta is not None and bool(evidence.meta.hooks)
        self._expects_hook = has_hooks and type(agent).format_hook_answer is not Agent.format_hook_answer
        found = dialog_list.find_dialogs(self._ctx, self._ref, evidence, status, choices=False, with_pressed=True)
        if any(
            each.key not in self._reported
            and self.is_undrawn(each.dialog)
            and not (awaits_hook and self.is_preliminary(each.dialog))
            for each in found
        ):
            found = dialog_list.find_dialogs(
                self._ctx, self._ref, evidence, status, draw_seconds=0.0, with_pressed=True
            )
        self._found = {each.key: each.dialog for each in found if each.dialog.id not in self._ended_calls}
        self._reported = rename_keys(self._reported, self._found)

    @staticmethod
    def is_undrawn(dialog: OpenDialog) -> bool:
        """Return True for a dialog whose frame needs choices that the screen did not show yet."""
        is_known_call = dialog.kind == "permission" and dialog.tool_input is not UNSET
        return dialog.way == "screen" and not (dialog.choices or dialog.questions or is_known_call)

    def is_preliminary(self, dialog: OpenDialog) -> bool:
        """Return True for a dialog on the screen whose hook may be recorded in a moment."""
        return self._expects_hook and dialog.way == "screen" and dialog.kind in CALL_KINDS

    def list_unreported(self) -> list[OpenDialog]:
        """Return the dialogs that are open and not reported yet."""
        return [dialog for key, dialog in self._found.items() if key not in self._reported]

    def open_for(self, tool_use_id: str) -> Iterator[Payload]:
        """Yield the unreported dialog of a tool call."""
        for key, dialog in self._found.items():
            is_new = key not in self._reported and dialog.tool_use_id == tool_use_id
            if is_new and not self.is_preliminary(dialog) and not self.is_undrawn(dialog):
                self._reported[key] = dialog
                yield build_opening(dialog)

    def open_all(self) -> Iterator[Payload]:
        """Yield all unreported dialogs."""
        for key, dialog in self._found.items():
            if key not in self._reported:
                self._reported[key] = dialog
                yield build_opening(dialog)

    def close_for(self, tool_use_id: str) -> Iterator[Payload]:
        """Yield the decision about the dialog of a tool call that has a result."""
        keys = [key for key, each in self._reported.items() if each.tool_use_id == tool_use_id]
        if keys:
            self._ended_calls.add(tool_use_id)
            self._found = {key: each for key, each in self._found.items() if each.tool_use_id != tool_use_id}
        yield from self._close(keys)

    def close_gone(self) -> Iterator[Payload]:
        """Yield the decisions about dialogs that are not open any more."""
        yield from self._close([key for key in self._reported if key not in self._found])

    def _close(self, keys: Sequence[str]) -> Iterator[Payload]:
        for key in keys:
            self._found.pop(key, None)
            yield self._build_closing(key, self._reported.pop(key))

    def _build_closing(self, key: str, dialog: OpenDialog) -> Payload:
        from lisa_py.store import dialogs  # noqa: PLC0415 - only dialogs

        if dialog.kind not in CALL_KINDS:
            return SystemPayload(subtype="dialog_closed", message=dialog.kind)
        decided = dialogs.read_decision(self._ref, key) or self._read_hooked_decision(dialog)
        by = decided.by if decided is not None else PANE
        return SystemPayload(
            subtype="approval_decided",
            message=f"{decided.summary} (by {by})" if decided is not None else "closed in the pane",
            tool_use_id=dialog.id,
            decided_by=by,
            decision=decided.kind if decided is not None else UNSET,
        )

    def _read_hooked_decision(self, dialog: OpenDialog) -> DecisionRecord | None:
        """Return the decision of a dialog that was reported before its hook was recorded."""
        from lisa_py.core.status import agent_reports  # noqa: PLC0415 - only such dialogs
        from lisa_py.store import dialogs  # noqa: PLC0415

        if dialog.way != "screen" or not self._expects_hook:
            return None
        asked = self._agent.list_permission_calls(agent_reports.read_hooks(self._ref, whole=True), ended=True)
        key = next((call.key for call in asked if call.tool_use_id == dialog.tool_use_id), "")
        return dialogs.read_decision(self._ref, key) if key else None


def rename_keys(reported: Mapping[str, OpenDialog], found: Mapping[str, OpenDialog]) -> dict[str, OpenDialog]:
    """Return the reported dialogs by their present keys: the record of a hook may follow a dialog on the screen."""
    renamed = {dialog.id: key for key, dialog in found.items() if key not in reported}
    return {key if key in found else renamed.get(each.id, key): each for key, each in reported.items()}


def build_opening(dialog: OpenDialog) -> Payload:
    """Return the frame of an open dialog: a request, a question, or any other choice."""
    choices = dialog.choices or ()
    if dialog.kind == "permission":
        return ApprovalPayload(
            tool_use_id=dialog.id,
            tool_name=dialog.tool_name or "permission",
            tool_input={"message": dialog.message} if dialog.tool_input is UNSET else dialog.tool_input,
        )
    if dialog.kind == "question":
        options = tuple(QuestionOption(label=choice.text) for choice in choices)
        shown = (DialogQuestion(question=dialog.message, options=options),)
        return QuestionPayload(question_id=dialog.id, questions=dialog.questions or shown)
    return DialogPayload(kind=dialog.kind, id=dialog.id, message=dialog.message, choices=choices)
