"""Any content of a session folder gives a status."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

FILES = ("meta.json", "state.json", "hooks.jsonl", "done.txt", "start", "events.jsonl", "heartbeat", "output.txt")
RUBBISH = {
    "strange bytes": b'{"session":"\xff\xfe","hook":"\xff","runId":"\xff","reason":"\xff","startCommand":"\xff"}\n',
    "endless nesting": b'{"hook":' + b"[" * 100_000,
    "other types": b'{"session":[],"runId":{},"hook":7,"at":"now","seq":"x","payload":[],"panePid":"p"}\n',
    "a number": b"7",
    "nothing": b"",
    "folder": None,
}
READ_COMMANDS = (
    ("status", "--session", "lisa-stage-1", "--json"),
    ("explain", "--session", "lisa-stage-1", "--json-min"),
    ("list", "--with-next-action", "--json"),
    ("tree", "--with-state", "--json"),
    ("packet", "--session", "lisa-stage-1", "--json-min"),
)


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_broken_records_give_one_clear_answer(machine: LisaHost, rubbish: str) -> None:
    stage = SessionHarness(machine).run("echo said; exit 3")
    assert stage.wait_until_dead() == 3
    assert stage.status().session_state == "crashed"
    kept = machine.folder / "kept"
    shutil.copytree(stage.ref.folder, kept)
    for name in FILES:
        spoil(stage, name, RUBBISH[rubbish])
        assert stage.status().session == stage.name, name
        shutil.rmtree(stage.ref.folder)
        shutil.copytree(kept, stage.ref.folder)
    for name in FILES:
        spoil(stage, name, RUBBISH[rubbish])
    for words in READ_COMMANDS:
        answer = machine.lisa("session", *words)
        assert answer.json.get("errorCode") != "internal_error", (words, answer)
    assert stage.lisa("kill").json["ok"] is True


def spoil(stage: SessionHarness, name: str, content: bytes | None) -> None:
    file = Path(stage.ref.folder) / name
    file.unlink(missing_ok=True)
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
