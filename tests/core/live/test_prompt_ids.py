"""Ids of prompts: each is delivered once, also over restarts, and its frame bears its id."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.live import LiveFrame, UserPayload
from lisa_py.core.context import Context
from lisa_py.core.live.prompt_ids import PROMPT_IDS, PromptIds
from lisa_py.host.clock import Clock, format_rfc3339
from lisa_py.store import prompt_records, session_folder
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost

NOW = 1_800_000_000.0


@pytest.fixture
def ref(machine: LisaHost) -> SessionRef:
    made = machine.context().ref("lisa-prompts-1")
    session_folder.create(made)
    return made


def open_ids(machine: LisaHost, ref: SessionRef, now: float = NOW) -> PromptIds:
    """Return the ids as a new process reads them."""
    return PromptIds(Context(machine.context().settings, clock=Clock(now=lambda: now)), ref)


def make_frame(text: str, number: int, at: float = NOW + 1) -> LiveFrame:
    return LiveFrame(
        type="user",
        payload=UserPayload(content=text),
        timestamp=format_rfc3339(at, fraction=True),
        session_id="s",
        cursor=f"t.0.{number}.1",
    )


def name(ids: PromptIds, frame: LiveFrame) -> str:
    named = ids.name(frame).payload
    assert isinstance(named, UserPayload)
    return named.prompt_id or ""


def test_delivered_prompt_is_known_after_a_restart(machine: LisaHost, ref: SessionRef) -> None:
    ids = open_ids(machine, ref)
    assert ids.add("p1") and not ids.add("p1")
    assert ids.begin("p1", "say  it")
    ids.end("p1", is_delivered=True)
    assert not ids.add("p1")
    again = open_ids(machine, ref, NOW + 60)
    assert not again.add("p1") and again.add("p2")
    assert name(again, make_frame("say it", 7)) == "p1"
    third = open_ids(machine, ref, NOW + 120)
    assert name(third, make_frame("say it", 7)) == "p1" and name(third, make_frame("say it", 8)) == ""


def test_refused_prompt_can_be_sent_again(machine: LisaHost, ref: SessionRef) -> None:
    ids = open_ids(machine, ref)
    assert ids.add("p1") and ids.begin("p1", "x")
    ids.end("p1", is_delivered=False)
    assert ids.add("p1") and not ids.is_interrupted("p1")
    assert prompt_records.read_prompts(ref) == []


def test_interrupted_prompt_is_sent_again_unless_it_arrived(machine: LisaHost, ref: SessionRef) -> None:
    for identity, text in (("p1", "one"), ("p2", "two")):
        ids = open_ids(machine, ref)
        assert ids.add(identity) and ids.begin(identity, text)  # and its process is killed
    again = open_ids(machine, ref)
    assert name(again, make_frame("one", 1)) == "p1"
    assert not again.add("p1") and not again.begin("p1", "one")
    assert again.is_interrupted("p2") and again.add("p2") and again.begin("p2", "two")
    assert not again.is_interrupted("p2")


def test_equal_prompts_are_named_in_their_order(machine: LisaHost, ref: SessionRef) -> None:
    ids = open_ids(machine, ref)
    for identity in ("p1", "p2"):
        assert ids.add(identity) and ids.begin(identity, "go")
        ids.end(identity, is_delivered=True)
    assert name(ids, make_frame("go", 1, NOW - 60)) == ""
    assert [name(ids, make_frame("go", number)) for number in (2, 3, 4)] == ["p1", "p2", ""]
    assert [name(open_ids(machine, ref), make_frame("go", number)) for number in (3, 2)] == ["p2", "p1"]


def test_clock_set_back_hides_no_prompt(machine: LisaHost, ref: SessionRef) -> None:
    ids = open_ids(machine, ref)
    assert ids.add("p1") and ids.begin("p1", "go")
    ids.end("p1", is_delivered=True)
    assert name(open_ids(machine, ref, NOW - 3600), make_frame("go", 1, NOW - 3599)) == "p1"


def test_number_of_kept_ids_is_limited(machine: LisaHost, ref: SessionRef) -> None:
    ids = open_ids(machine, ref)
    for number in range(PROMPT_IDS + 2):
        assert ids.begin(f"p{number}", "x")
    kept = [each.id for each in prompt_records.read_prompts(ref)]
    assert (len(kept), kept[0], kept[-1]) == (PROMPT_IDS, "p2", f"p{PROMPT_IDS + 1}")


def test_prompt_is_refused_if_its_id_cannot_be_stored(machine: LisaHost) -> None:
    ids = open_ids(machine, machine.context().ref("lisa-gone-1"))
    assert ids.add("p1")
    with pytest.raises(LisaError) as refused:
        ids.begin("p1", "x")
    assert refused.value.code == "store_unwritable"


def test_text_of_a_prompt_is_not_kept(machine: LisaHost, ref: SessionRef) -> None:
    ids = open_ids(machine, ref)
    assert ids.begin("p1", "planted text")
    assert "planted" not in Path(ref.file(prompt_records.FILE)).read_text()
