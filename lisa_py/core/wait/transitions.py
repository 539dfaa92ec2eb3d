"""Record state changes of a watched session, and set rejected OAuth tokens aside."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import UNSET, structs

from lisa_py import agents
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.records import SessionState
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files
from lisa_py.store import events, oauth_tokens, session_records
from lisa_py.store.paths import SessionRef
from lisa_py.terminal.layout import Layout

FAILED_STATES = ("crashed", "stuck", "degraded")
_START = "__LISA_SESSION_START__"


class Recorder:
    """A recorder that writes each change of state once, also with several watchers of a session."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref
        self._last = ("", "", "")

    def record(self, evidence: Evidence, status: Status) -> Status:
        """Record changes; return the status, with a failed token or a write error added. Never raise."""
        if evidence.meta is None or not files.is_dir(self._ref.folder):
            return status  # no record of such a session may be created
        try:
            status = self._quarantine_token(evidence, status)
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

    def _quarantine_token(self, evidence: Evidence, status: Status) -> Status:
        """Set a pooled token aside if the service rejected it."""
        meta = evidence.meta
        if meta is None or not meta.oauth_token_id or evidence.state.oauth_token_pruned:
            return status
        if meta.custom_command or not agents.get(meta.agent).oauth_variable:
            return status
        why = "invalid_token" if status.error_kind == "auth" else ""
        if not why and status.session_state in FAILED_STATES:
            why = self._read_auth_failure(evidence, agents.get(meta.agent).token_failures)
        if not why:
            return status

        def change(state: SessionState) -> None:
            state.oauth_token_pruned, state.oauth_token_prune_reason = True, why

        moment = self._ctx.clock.now()
        session_records.change_state(self._ref, self._ctx.settings, moment, change)
        if oauth_tokens.quarantine(self._ctx.settings, moment, meta.oauth_token_id, why):
            self.record_lifecycle(None, f"oauth_token_pruned_{why}", state="crashed", status_word="idle")
        if status.session_state not in FAILED_STATES:
            return status
        return structs.replace(status, status="idle", session_state="crashed", classification_reason=f"oauth_{why}")

    def _read_auth_failure(self, evidence: Evidence, patterns: Sequence[tuple[str, str]]) -> str:
        """Return the kind of token failure printed since the start, or an empty text."""
        if evidence.pane is None:
            return ""
        try:
            server = self._ctx.server(self._ref)
            text = server.capture([evidence.pane.pane_id], history=320).get(evidence.pane.pane_id, "")
        except TmuxUnavailable:
            return ""
        return find_auth_failure(text, patterns, agents.layout_of(evidence.meta))


def find_auth_failure(text: str, patterns: Sequence[tuple[str, str]], signs: Layout) -> str:
    """Return the kind of token failure in a pane's text after the session's start line, or an empty text.

    Lines in quotes, lists or boxes are ignored: there an agent only writes about such a failure.
    """
    lines = text.split("\n")
    begin = max((at for at, line in enumerate(lines) if line.startswith(_START)), default=-1)
    for line in lines[begin + 1 :]:
        content = line.strip().lower()
        if not content or signs.is_quoted(content):
            continue
        for pattern, why in patterns:
            if re.search(pattern, content):
                return why
    return ""


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
