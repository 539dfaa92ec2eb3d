"""Tokens: who may do what, and for how long."""

from __future__ import annotations

import time

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.server import tokens
from lisa_py.store import server_files
from lisa_py.store.server_files import ServerKeys
from tests.lisa_host import LisaHost


@pytest.fixture
def keys(machine: LisaHost) -> ServerKeys:
    return server_files.ensure_keys(machine.context().settings, time.time())


def mint_at(keys: ServerKeys, monkeypatch: pytest.MonkeyPatch, seconds: float) -> str:
    """Return a token that was minted some seconds from now."""
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now + seconds)
        return tokens.mint_token(keys, "read", oid="x")


def test_token_is_valid_for_an_hour(keys: ServerKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = tokens.identify(keys, mint_at(keys, monkeypatch, -3590))
    assert (caller.scope, caller.oid, caller.is_key) == ("read", "x", False)
    with pytest.raises(LisaError) as refused:
        tokens.identify(keys, mint_at(keys, monkeypatch, -3610))
    assert refused.value.code == "unauthorized"


def test_token_survives_a_clock_set_back(keys: ServerKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tokens.identify(keys, mint_at(keys, monkeypatch, 7200)).scope == "read"
