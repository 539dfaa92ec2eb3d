"""What a sender gets back: whether it was taken, how that was seen, and what was done to the text on its way."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.records import SessionMeta
from lisa_py.core.life import purpose
from lisa_py.core.life.purpose import Objective
from lisa_py.core.life.send import Sent
from lisa_py.store import session
from lisa_py.store.places import Place
from lisa_py.store.records import Unreadable

NOT_TAKEN = "send_not_taken"


class Choice(Struct, frozen=True, kw_only=True, rename="camel"):
    """The choice that was taken; number 0 when the dialog was left with Escape."""

    number: int
    text: str
    waiting_for: str


class Receipt(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of it."""

    session: str
    ok: bool
    enter: bool
    project_root: str
    bytes: int
    delivered: bool | str | UnsetType = UNSET
    """true, false or unverified; left out when nothing was submitted."""
    delivered_by: str | UnsetType = UNSET
    """The sign that showed it: hook, transcript, agent_file, title, screen."""
    stripped: dict[str, int] | UnsetType = UNSET
    """Control characters that were not typed, by name."""
    helped: str | UnsetType = UNSET
    """What it took besides one Enter: second_enter, or retyped when the agent had lost the text."""
    answered: Choice | UnsetType = UNSET
    lane: str | UnsetType = UNSET
    objective: Objective | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def receipt(place: Place, sent: Sent) -> Receipt:
    meta = _meta(place)
    failed = sent.delivered is False
    return Receipt(
        session=place.session,
        ok=not failed,
        enter=sent.enter,
        project_root=place.project.root,
        bytes=sent.size,
        delivered=UNSET if sent.delivered is None else sent.delivered,
        delivered_by=sent.delivered_by or UNSET,
        stripped=sent.stripped or UNSET,
        helped=sent.helped or UNSET,
        answered=_choice(sent),
        lane=meta.lane or UNSET,
        objective=purpose.of_session(meta),
        error_code=NOT_TAKEN if failed else UNSET,
    )


def _meta(place: Place) -> SessionMeta:
    try:
        return session.read_meta(place) or SessionMeta(session=place.session)
    except Unreadable:
        return SessionMeta(session=place.session)


def _choice(sent: Sent) -> Choice | UnsetType:
    taken = sent.answered
    return Choice(number=taken.number, text=taken.text, waiting_for=taken.waiting_for) if taken else UNSET
