"""lisa auth claude set-key: a key or a reference, in a private file."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.lifecycle.launch import LaunchRequest
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest, plan_spawn
from tests.lisa_host import LisaHost

KEY = "sk-ant-api03-planted"


def set_key(machine: LisaHost, *words: str, stdin: str = "") -> Any:
    return machine.lisa("auth", "claude", "set-key", *words, "--json", stdin=stdin)


def credentials_of(machine: LisaHost, family: str) -> Any:
    plan = plan_spawn(machine.context(), SpawnRequest(launch=LaunchRequest(agent="claude"), family=family))
    return plan.start.launch.settings.credentials, plan.secret_values, plan.request.settings.credentials


def test_key_is_kept_privately_and_shown_nowhere(machine: LisaHost) -> None:
    first = set_key(machine, "--key-from-stdin", stdin=f"{KEY}\n")
    assert first.json["replaced"] is False and KEY not in first.out + first.err
    assert set_key(machine, "--key-from-stdin", stdin=KEY).json["replaced"] is True
    state = machine.folder / "state"
    holding = [path for path in state.rglob("*") if path.is_file() and KEY in path.read_text()]
    assert [path.name for path in holding] == ["credentials"]
    assert stat.S_IMODE(Path(holding[0]).stat().st_mode) == 0o600


def test_stored_key_is_for_sessions_of_the_user(machine: LisaHost) -> None:
    set_key(machine, "--key-from-stdin", stdin=KEY)
    resolved, hidden, requested = credentials_of(machine, "user")
    assert resolved == {"api_key": KEY} and KEY in hidden and not requested
    assert not credentials_of(machine, "org")[0]


def test_reference_is_resolved_at_the_spawn(machine: LisaHost) -> None:
    machine.lisa("secret", "set", "--name", "k", stdin=KEY)
    answer = set_key(machine, "--key", "secret://k")
    assert answer.code == 0 and answer.err == ""
    assert credentials_of(machine, "user")[0] == {"api_key": KEY}


def test_key_as_an_argument_gives_a_warning(machine: LisaHost) -> None:
    answer = set_key(machine, "--key", KEY)
    assert "exposes" in answer.err and KEY not in answer.err


@pytest.mark.parametrize(
    ("words", "stdin"),
    [((), ""), (("--key-from-stdin",), " \n"), (("--key", "a", "--key-from-stdin"), "b"), (("--key", "a b"), "")],
)
def test_bad_key_is_refused(machine: LisaHost, words: tuple[str, ...], stdin: str) -> None:
    answer = set_key(machine, *words, stdin=stdin)
    assert answer.json["errorCode"] == "invalid_key"
    assert not (machine.folder / "state" / "credentials").exists()
