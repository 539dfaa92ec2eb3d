"""session dedupe."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.fleet import Fleet
from tests.lisa_host import CallResult, LisaHost


def _dedupe(machine: LisaHost, *words: str) -> CallResult:
    return machine.lisa("session", "dedupe", "--task-hash", "t1", *words, "--json")


def test_one_of_many_concurrent_claims_succeeds(machine: LisaHost) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda row: _dedupe(machine, "--session", f"lisa-w{row}"), range(6)))
    winners = [answer.json for answer in answers if answer.code == 0]
    losers = [answer.json for answer in answers if answer.code == 1]
    assert len(winners) == 1
    assert winners[0]["claimed"] is True
    assert {loser["errorCode"] for loser in losers} == {"task_duplicate_detected"}
    assert {loser["existingSession"] for loser in losers} == {winners[0]["existingSession"]}


def test_claim_may_precede_the_spawn(machine: LisaHost) -> None:
    assert _dedupe(machine, "--session", "lisa-later").code == 0
    answer = _dedupe(machine)
    assert (answer.code, answer.json["duplicate"], answer.json["existingSession"]) == (1, True, "lisa-later")


def test_claim_ends_with_its_session(machine: LisaHost, fleet: Fleet) -> None:
    machine.lisa("session", "spawn", "--agent", "scripted", "--session", "lisa-a", "--mode", "exec", "--prompt", "hi")
    assert _dedupe(machine, "--session", "lisa-a").code == 0
    machine.lisa("session", "monitor", "--session", "lisa-a")
    answer = _dedupe(machine, "--session", "lisa-b")
    assert (answer.code, answer.json["existingSession"]) == (0, "lisa-b")


def test_second_release_has_no_effect(machine: LisaHost) -> None:
    _dedupe(machine, "--session", "lisa-a")
    for _ in range(2):
        answer = _dedupe(machine, "--release")
        assert (answer.code, answer.json["released"], answer.json["duplicate"]) == (0, True, False)
    assert _dedupe(machine).json["duplicate"] is False


def test_claims_file_has_documented_path_and_folder_mode(machine: LisaHost) -> None:
    shared = machine.folder / "shared"
    shared.chmod(0o755)
    _dedupe(machine, "--session", "lisa-a")
    digest = machine.context().project().hash
    assert (shared / f".lisa-{digest}-dedupe.json").stat().st_mode & 0o777 == 0o600
    assert shared.stat().st_mode & 0o777 == 0o755


def test_text_names_the_holder(machine: LisaHost) -> None:
    assert machine.lisa("session", "dedupe", "--task-hash", "t1").out == "none\n"
    _dedupe(machine, "--session", "lisa-a")
    assert machine.lisa("session", "dedupe", "--task-hash", "t1").out == "lisa-a\n"
    assert machine.lisa("session", "dedupe", "--task-hash", "t1", "--session", "lisa-b").out.startswith(
        "held by lisa-a"
    )


def test_corrupt_claims_do_not_block_a_claim(machine: LisaHost) -> None:
    path = machine.folder / "shared" / f".lisa-{machine.context().project().hash}-dedupe.json"
    path.write_text("{nonsense")
    assert _dedupe(machine).json["errorCode"] == "dedupe_registry_read_failed"
    answer = _dedupe(machine, "--session", "lisa-a")
    assert (answer.code, answer.json["recovered"]) == (0, True)
