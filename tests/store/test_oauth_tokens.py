"""store/oauth_tokens: tokens in turn, one writer at a time, no secret shown."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.host.env import Settings, read_settings
from lisa_py.store import oauth_tokens
from tests.lisa_host import LisaHost

NOW = 1795235522.0
FIRST, SECOND, THIRD = (oauth_tokens.make_id(word) for word in ("tok-A", "tok-B", "tok-C"))


@pytest.fixture
def here(machine: LisaHost) -> Settings:
    found = read_settings(machine.env)
    for word in ("tok-A", "tok-B", "tok-C"):
        oauth_tokens.add(found, NOW, token=word)
    return found


def stored(here: Settings) -> dict[str, Any]:
    value = json.loads(Path(oauth_tokens.path(here)).read_text())
    assert isinstance(value, dict)
    return value


def spawn(here: Settings, run_id: str) -> str:
    """Reserve and consume a token as a spawn does; return its secret."""
    held = oauth_tokens.reserve(here, NOW, run_id)
    if held.id:
        oauth_tokens.consume(here, NOW, run_id, held.id)
    return held.token


def test_id_is_derived_from_the_token_and_file_is_private(here: Settings) -> None:
    assert oauth_tokens.make_id("tok-AAA") == "oauth-29a48b8b013d"
    assert stat.S_IMODE(os.stat(oauth_tokens.path(here)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(here.state_dir).st_mode) == 0o700


def test_spawns_use_tokens_in_turn(here: Settings) -> None:
    assert [spawn(here, str(number)) for number in range(4)] == ["tok-A", "tok-B", "tok-C", "tok-A"]
    assert stored(here)["nextIndex"] == 1
    assert [token.get("useCount") for token in stored(here)["tokens"]] == [2, 1, 1]


def test_concurrent_spawns_get_different_tokens(here: Settings) -> None:
    held = [oauth_tokens.reserve(here, NOW, run).token for run in ("1", "2")]
    assert held == ["tok-A", "tok-B"]
    assert oauth_tokens.reserve(here, NOW, "1").token == "tok-A"  # asking again gives the same


def test_failed_spawn_releases_its_token(here: Settings) -> None:
    oauth_tokens.reserve(here, NOW, "1")
    oauth_tokens.release(here, NOW, "1")
    assert oauth_tokens.reserve(here, NOW, "2").token == "tok-A"


def test_reservation_expires(here: Settings) -> None:
    oauth_tokens.reserve(here, NOW, "1")
    late = NOW + here.oauth_reservation_ttl_seconds
    assert oauth_tokens.preview(here, late - 1).id == SECOND
    assert oauth_tokens.preview(here, late).id == FIRST
    assert oauth_tokens.preview(here, NOW - 3600).id == SECOND  # one from the future is active


def test_consume_needs_the_reservation(here: Settings) -> None:
    held = oauth_tokens.reserve(here, NOW, "1")
    oauth_tokens.remove(here, NOW, held.id)
    with pytest.raises(LisaError) as problem:
        oauth_tokens.consume(here, NOW, "1", held.id)
    assert problem.value.code == "spawn_oauth_selection_failed"


def test_exhausted_pool_warns_and_empty_pool_does_not(here: Settings, machine: LisaHost) -> None:
    for run in ("1", "2", "3"):
        oauth_tokens.reserve(here, NOW, run)
    assert "reserved" in oauth_tokens.reserve(here, NOW, "4").warning
    for token_id in (FIRST, SECOND, THIRD):
        oauth_tokens.disable(here, NOW, token_id, "by_hand")
    assert "disabled" in oauth_tokens.reserve(here, NOW, "5").warning
    for token_id in (FIRST, SECOND, THIRD):
        oauth_tokens.remove(here, NOW, token_id)
    assert oauth_tokens.reserve(here, NOW, "6") == oauth_tokens.TokenReservation()


def test_failed_token_is_disabled_and_can_be_enabled(here: Settings) -> None:
    assert oauth_tokens.quarantine(here, NOW, FIRST, "expired_token")
    assert not oauth_tokens.quarantine(here, NOW, FIRST, "expired_token")
    kept = stored(here)["tokens"][0]
    assert (kept["token"], kept["disabled"], kept["disabledReason"]) == ("tok-A", True, "expired_token")
    assert (kept["disabledAt"], kept["lastFailureReason"]) == ("2026-11-21T04:32:02Z", "expired_token")
    assert [spawn(here, str(number)) for number in range(3)] == ["tok-B", "tok-C", "tok-B"]
    assert oauth_tokens.enable(here, NOW, FIRST)
    assert "tok-A" in [spawn(here, str(number)) for number in range(2)]


def test_token_enabled_after_the_failure_is_kept(here: Settings) -> None:
    oauth_tokens.disable(here, NOW, FIRST, "expired_token")
    oauth_tokens.enable(here, NOW, FIRST)
    assert oauth_tokens.quarantine(here, NOW + 60, FIRST, "expired_token", failed_at=NOW - 5) is None
    assert oauth_tokens.quarantine(here, NOW + 60, FIRST, "expired_token", failed_at=NOW + 5) is True


def test_adding_a_token_again_enables_it(here: Settings) -> None:
    oauth_tokens.quarantine(here, NOW, FIRST, "expired_token")
    again = oauth_tokens.add(here, NOW, token="  tok-A\n")
    assert (again.added, again.id, again.count) == (False, FIRST, 3)
    assert oauth_tokens.preview(here, NOW).id == FIRST


def test_removal_keeps_the_order(here: Settings) -> None:
    spawn(here, "1")
    assert oauth_tokens.remove(here, NOW, FIRST)
    assert spawn(here, "2") == "tok-B"
    assert not oauth_tokens.remove(here, NOW, FIRST)


def test_a_preview_writes_nothing(here: Settings) -> None:
    before = Path(oauth_tokens.path(here)).read_bytes()
    assert oauth_tokens.preview(here, NOW).id == FIRST
    assert Path(oauth_tokens.path(here)).read_bytes() == before


def test_token_command_runs_at_every_spawn(machine: LisaHost) -> None:
    here = read_settings(machine.env)
    oauth_tokens.add(here, NOW, command="cat secret-of-mine 2>/dev/null")
    oauth_tokens.add(here, NOW, command="echo tok-from-store; true")
    assert "tok-from-store" not in json.dumps(stored(here)["tokens"][0])
    held = oauth_tokens.reserve(here, NOW, "1")
    assert (held.token, "printed none" in held.warning) == ("tok-from-store", True)
    broken = stored(here)["tokens"][0]
    assert broken["lastFailureReason"] == "command_failed" and "reservedBy" not in broken


def test_older_pool_is_read_and_normalised(machine: LisaHost) -> None:
    here = read_settings(machine.env)
    os.makedirs(here.state_dir, mode=0o700)
    old = {
        "version": 0,
        "nextIndex": 9,
        "tokens": [{"id": "", "token": "tok-A", "addedAt": "x"}, {"id": "i", "token": " "}],
    }
    Path(oauth_tokens.path(here)).write_text(json.dumps(old))
    assert [token.id for token in oauth_tokens.list_tokens(here, NOW)] == [FIRST]
    assert json.loads(Path(oauth_tokens.path(here)).read_text()) == old  # reading leaves no trace
    oauth_tokens.add(here, NOW, token="tok-B")
    assert (stored(here)["version"], stored(here)["nextIndex"], len(stored(here)["tokens"])) == (1, 0, 2)


def test_corrupt_pool_is_set_aside(machine: LisaHost) -> None:
    here = read_settings(machine.env)
    os.makedirs(here.state_dir, mode=0o700)
    Path(oauth_tokens.path(here)).write_text("{broken")
    assert "cannot be read" in oauth_tokens.preview(here, NOW).warning
    assert Path(oauth_tokens.path(here)).read_text() == "{broken"
    held = oauth_tokens.reserve(here, NOW, "1")
    assert (held.id, "corrupt" in held.warning) == ("", True)
    assert Path(f"{oauth_tokens.path(here)}.corrupt-{int(NOW)}").read_text() == "{broken"


def test_forty_concurrent_writers_lose_nothing(machine: LisaHost) -> None:
    script = """
import os
from lisa_py.host.env import read_settings
from lisa_py.store import oauth_tokens

settings = read_settings()
for number in range(40):
    if not os.fork():
        for part in range(5):
            oauth_tokens.add(settings, 1.0, token=f"tok-{number}-{part}")
        os._exit(0)
for number in range(40):
    assert os.wait()[1] == 0
"""
    env = {**machine.env, "LISA_STATE_LOCK_TIMEOUT_MS": "60000"}
    ended = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(stored(read_settings(machine.env))["tokens"]) == 200


def test_lock_timeout_is_a_warning(here: Settings) -> None:
    import fcntl

    with open(oauth_tokens.path(here) + ".lock") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        quick = read_settings({**here.environ, "LISA_STATE_LOCK_TIMEOUT_MS": "50"})
        assert "lock" in oauth_tokens.reserve(quick, NOW, "1").warning
