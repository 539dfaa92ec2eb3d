"""References to secrets are resolved in settings, as whole values only."""

from __future__ import annotations

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.host import env
from tests.lisa_host import LisaHost


def _context(machine: LisaHost, **variables: str) -> Context:
    return Context(env.read_settings({**machine.env, **variables}), cwd=str(machine.project))


def test_resolves_every_kind_where_references_are_allowed(machine: LisaHost) -> None:
    machine.lisa("secret", "set", "--name", "a/b", stdin="stored-value")
    (machine.project / "key.txt").write_text("file-value\n")
    ctx = _context(machine, MY_KEY="env-value")
    settings = SessionSettings(
        model="secret://a/b",
        name="hive://secret/a/b",
        system_prompt="env:MY_KEY",
        allowed_tools=("Read",),
        environment={"A": "secret://a/b", "B": "pre secret://a/b", "PLAIN": "plain-value", "E": "env:MY_KEY"},
        credentials={"auth": "vertex", "service_account_json": "file:key.txt", "project_id": "project-1"},
        mcp_servers={
            "m": {"url": "secret://a/b", "headers": {"X": "hive://secret/a/b"}},
            "n": {"command": "run", "env": {"Y": "env:MY_KEY"}},
        },
    )
    resolved = secrets.resolve_settings(ctx, ctx.project(), settings)
    assert resolved.settings == SessionSettings(
        model="secret://a/b",
        name="hive://secret/a/b",
        system_prompt="env:MY_KEY",
        allowed_tools=("Read",),
        environment={"A": "stored-value", "B": "pre secret://a/b", "PLAIN": "plain-value", "E": "env-value"},
        credentials={"auth": "vertex", "service_account_json": "file-value", "project_id": "project-1"},
        mcp_servers={
            "m": {"url": "secret://a/b", "headers": {"X": "stored-value"}},
            "n": {"command": "run", "env": {"Y": "env-value"}},
        },
    )
    assert set(resolved.values) == {"stored-value", "env-value", "file-value"}


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("hive://secret/nope", "nope"),
        ("secret://nope", "nope"),
        ("secret://", "secret://"),
        ("hive://secret/", "hive://secret/"),
        ("env:NO_SUCH_VARIABLE", "env:NO_SUCH_VARIABLE"),
        ("env:", "env:"),
        ("file:missing.txt", "file:missing.txt"),
        ("file:/dev/null", "file:/dev/null"),
        ("file:.", "file:."),
        ("file:a\0b", "file:a\0b"),
    ],
)
def test_names_a_reference_without_a_secret(machine: LisaHost, reference: str, named: str) -> None:
    ctx = _context(machine)
    with pytest.raises(LisaError) as refused:
        secrets.resolve_settings(ctx, ctx.project(), SessionSettings(environment={"A": reference}))
    assert (refused.value.code, refused.value.details["secret"]) == ("secret_not_found", named)
