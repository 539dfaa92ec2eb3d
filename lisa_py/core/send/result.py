"""Result of a send: acceptance, its evidence, and changes to the text."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.objective import ObjectiveSummary

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


class SendResult(Answer):
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
    """Text that was in the input box and was removed: by --replace-draft, or because it was sent before."""
    outbox_id: str | UnsetType = UNSET
    """Id of a text that was put into the outbox (--when)."""
    outbox_state: str | UnsetType = UNSET
    """queued, or the state that the text of this id has already."""
    sent_from: str | UnsetType = UNSET
    """Session that the text comes from."""
    lane: str | UnsetType = UNSET
    objective: ObjectiveSummary | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    """Reason of a failure: the agent's words if it refused the text."""
