"""Record state changes of a watched session."""

from __future__ import annotations

from msgspec import UNSET, structs

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionState
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.status import agent_place
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files
from lisa_py.store import events, session_records
from lisa_py.store.paths import SessionRef


class Recorder:
    """A recorder that writes each change of state once, also with several watchers of a session."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref
        self._last = ("", "", "")
        self._agent_pid = 0

    def record(self, evidence: Evidence, status: Status) -> Status:
        """Record changes; return the status, with a write error added. Never raise."""
        if evidence.meta is None or not files.is_dir(self._ref.folder):
            return status  # no record of such a session may be created
        if evidence.binding.pid != self._agent_pid:
            self._agent_pid = evidence.binding.pid
            agent_place.remember_home(self._ctx, self._ref, evidence)
        try:
            self._record_transition(status)
        except LisaError as problem:
            self._ctx.warn_about(problem)
            signals = structs.replace(status.signals, events_write_error=problem.message)
            return structs.replace(status, signals=signals)
        return status

    def record_lifecycle(self, status: Status | None, reason: str, *, state: str = "", status_word: str = "") -> None:
        """Add a lifecycle event for a session with records. Never raise."""
        if not files.exists(self._ref.meta):
            return
        try:
            events.add(
                self._ref,
                self._ctx.settings,
                self._ctx.clock.now(),
                type="lifecycle",
                state=state or (status.session_state if status else ""),
                status=status_word or (status.status_word() if status else ""),
                reason=reason,
            )
        except LisaError as problem:
            self._ctx.warn_about(problem)

    def _record_transition(self, status: Status) -> None:
        key = (status.session_state, status.status, status.waiting_for)
        if key == self._last or status.session_state == "not_found":
            return
        self._last = key
        changed = False

        def change(state: SessionState) -> None:
            nonlocal changed
            before = (state.last_session_state, state.last_status, state.last_classification_reason)
            now = (status.session_state, status.status, status.classification_reason)
            changed = before != now
            state.last_session_state, state.last_status, state.last_classification_reason = now

        moment = self._ctx.clock.now()
        session_records.change_state(self._ref, self._ctx.settings, moment, change)
        if changed:
            events.add(self._ref, self._ctx.settings, moment, type="transition", **_transition_fields(status))


def _transition_fields(status: Status) -> dict[str, object]:
    detail = {
        "agentState": status.agent_state,
        "waitingFor": status.waiting_for,
        "stateSource": status.state_source,
        "errorKind": "" if status.error_kind is UNSET else status.error_kind,
        "exitCode": None if status.exit_code is UNSET else status.exit_code,
    }
    return {
        "state": status.session_state,
        "status": status.status,
        "reason": status.classification_reason,
        "detail": {key: value for key, value in detail.items() if value not in ("", None)},
    }
