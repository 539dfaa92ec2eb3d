"""Result of a send: acceptance, its evidence, and changes to the text."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lisa_py.contract import objective as contract_objective
from lisa_py.contract.answer import Answer
from lisa_py.contract.objective import ObjectiveSummary
from lisa_py.contract.records import SessionMeta
from lisa_py.core.send.send import SendResult
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef

NOT_ACCEPTED = ("send_not_taken", "prompt_blocked_by_hook", "command_unknown", "prompt_joined")
"""Error codes of a text that was typed and not delivered."""


class ChoiceSummary(Answer):
    """The selected choice; number 0 if the dialog was closed with Escape."""

    number: int
    text: str
    waiting_for: str
    ticked: tuple[int, ...] | UnsetType = UNSET
    """Of a question with several choices: the ticked ones."""
    open: bool | UnsetType = UNSET
    """True while the agent still asks: the answer was not submitted, or another question follows."""
    open_question: str | UnsetType = UNSET


class SessionSendResult(Answer):
    """Result of a send."""

    session: str
    ok: bool
    enter: bool
    project_root: str
    bytes: int
    delivered: bool | str | UnsetType = UNSET
    """true, false or unverified; omitted if nothing was submitted."""
    delivered_by: str | UnsetType = UNSET
    """Evidence of acceptance: hook, transcript, agent_file, title, screen."""
    stripped: dict[str, int] | UnsetType = UNSET
    """Removed control characters by name."""
    helped: str | UnsetType = UNSET
    """Action besides one Enter: second_enter, or retyped if the agent had lost the text."""
    altered: dict[str, int] | UnsetType = UNSET
    """Parts that the agent replaced, by name: tab (by spaces), invisible (removed), image (path by attachment)."""
    joined_with: str | UnsetType = UNSET
    """Other text of the input box that was submitted together with the text."""
    session_state: str | UnsetType = UNSET
    """State of the session if the text ended the agent."""
    answered: ChoiceSummary | UnsetType = UNSET
    replaced_draft: str | UnsetType = UNSET
    """Text that was in the input box and was removed by --replace-draft."""
    lane: str | UnsetType = UNSET
    objective: ObjectiveSummary | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    """Reason of a failure: the agent's words if it refused the text."""


def build_result(ref: SessionRef, sent: SendResult) -> SessionSendResult:
    meta = _read_meta(ref)
    failed = sent.delivered is False
    return SessionSendResult(
        session=ref.session,
        ok=not failed,
        enter=sent.enter,
        project_root=ref.project.root,
        bytes=sent.size,
        delivered=UNSET if sent.delivered is None else sent.delivered,
        delivered_by=sent.delivered_by or UNSET,
        stripped=sent.stripped or UNSET,
        helped=sent.helped or UNSET,
        altered=dict(sent.altered) or UNSET,
        joined_with=sent.joined_with or UNSET,
        session_state=sent.session_state or UNSET,
        answered=_summarize_choice(sent),
        replaced_draft=sent.replaced_draft or UNSET,
        lane=meta.lane or UNSET,
        objective=contract_objective.from_session_meta(meta),
        error_code=(sent.error_code or NOT_ACCEPTED[0]) if failed else UNSET,
        error=sent.error or UNSET,
    )


def _read_meta(ref: SessionRef) -> SessionMeta:
    try:
        return session_records.read_meta(ref) or SessionMeta(session=ref.session)
    except UnreadableRecord:
        return SessionMeta(session=ref.session)


def _summarize_choice(sent: SendResult) -> ChoiceSummary | UnsetType:
    taken = sent.answered
    if taken is None:
        return UNSET
    return ChoiceSummary(
        number=taken.number,
        text=taken.text,
        waiting_for=taken.waiting_for,
        ticked=taken.ticked or UNSET,
        open=True if taken.open_question else UNSET,
        open_question=taken.open_question or UNSET,
    )
