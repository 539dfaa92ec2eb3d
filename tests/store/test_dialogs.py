"""store/dialogs: one decision per dialog."""

from __future__ import annotations

import os
import threading

import pytest

from lisa_py.contract.dialogs import DecisionRecord
from lisa_py.contract.errors import LisaError
from lisa_py.store import dialogs
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost


@pytest.fixture
def ref(machine: LisaHost) -> SessionRef:
    found = machine.context().ref("lisa-decided", str(machine.project))
    os.makedirs(found.folder, 0o700)
    return found


def record(by: str) -> DecisionRecord:
    return DecisionRecord(kind="deny", by=by, way="screen", at="2026-11-28T10:00:00Z", summary="denied")


def test_one_of_many_deciders_wins(ref: SessionRef) -> None:
    names = [f"surface-{number}" for number in range(16)]
    winners: list[str] = []
    barrier = threading.Barrier(len(names))

    def decide(name: str) -> None:
        barrier.wait()
        if dialogs.decide(ref, "1.5-7", record(name), "{}"):
            winners.append(name)

    threads = [threading.Thread(target=decide, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    found = dialogs.read_decision(ref, "1.5-7")
    assert found is not None and found.by == winners[0]
    assert os.listdir(ref.file("dialogs")) == ["1.5-7.decision"]


def test_withdrawn_decision_leaves_the_dialog_undecided(ref: SessionRef) -> None:
    assert dialogs.decide(ref, "k", record("cli"))
    dialogs.withdraw(ref, "k")
    assert dialogs.read_decision(ref, "k") is None
    assert dialogs.decide(ref, "k", record("api"))


def test_broken_records_are_left_out(ref: SessionRef, machine: LisaHost) -> None:
    os.makedirs(ref.file("dialogs"))
    for name, text in (("a.json", "{"), ("b.json", "[]"), ("c.decision", "x"), ("d.pipe", "")):
        with open(ref.file(f"dialogs/{name}"), "w", encoding="utf-8") as file:
            file.write(text)
    assert dialogs.list_dialogs(ref) == () == dialogs.list_waiting(ref)
    assert dialogs.read_decision(ref, "c") is None
    with open(ref.meta, "w", encoding="utf-8") as file:
        file.write("{}")
    check = dialogs.RECORD.check
    assert check is not None
    assert [
        line.endswith("c.decision: it is no decision") for line in check(ref.project, machine.context().settings)
    ] == [True]


def test_symlink_in_place_of_the_folder_is_refused(ref: SessionRef, machine: LisaHost) -> None:
    os.rmdir(ref.folder)
    os.symlink(machine.project, ref.folder)
    with pytest.raises(LisaError) as problem:
        dialogs.decide(ref, "k", record("cli"))
    assert problem.value.code == "store_unwritable"
    assert os.listdir(machine.project) == []
