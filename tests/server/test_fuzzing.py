"""Generated calls of every described operation, and generated texts for every parser: no call is a failure."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.contract.errors import LisaError
from lisa_py.core.definitions import records, yaml_documents
from lisa_py.core.fleet import session_objects
from lisa_py.core.guard import tool_rules
from lisa_py.core.live import position
from lisa_py.server import client_messages
from tests.lisa_host import LisaHost
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness

STARTS = ("/v1/api/sessions", "/v1/sessions", "/v1/sessions/{id}/fork", "/v1/auth/claude/start")
"""Operations that start a program for each accepted call."""
FAILURES = (500, 502, 503, 504)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def choose_operations(server: RunningServer) -> list[Any]:
    """Return the operations that start nothing and do not stream."""
    described = schemathesis.openapi.from_url(f"{server.url}/openapi")
    operations = [result.ok() for result in described.get_all_operations()]
    return [
        each
        for each in operations
        if not (each.method.upper() == "POST" and each.path in STARTS)
        and not (each.path.startswith("/commands/") and _acts(each.definition.raw))
    ]


def _acts(described: dict[str, Any]) -> bool:
    return bool(described["x-scope"] == "control" or described["x-streams"])


def call_all(server: RunningServer, examples: int) -> None:
    """Call every operation with generated values; a refused call creates no session."""
    stage = SessionHarness(server.machine, f"lisa-fuzz-{examples}").spawn()
    before = server.call("GET", "/v1/org/sessions").body["sessions"]
    headers = {"Authorization": f"Bearer {server.key}", "X-LC-OID": server.project_id}
    for operation in choose_operations(server):

        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            reply = case.call(headers=headers)
            assert reply.status_code not in FAILURES, (case.method, case.path, reply.text)

        check()
    after = server.call("GET", "/v1/org/sessions").body["sessions"]
    assert [each["id"] for each in after] == [each["id"] for each in before]
    assert stage.lisa("exists").json["exists"] is True
    assert "Traceback" not in server.error_file.read_text()


@pytest.fixture(scope="module")
def fuzzed() -> Any:
    machine = LisaHost()
    try:
        with serving(machine, "--agent", "scripted") as server:
            server.register()
            yield server
    finally:
        machine.close()


def test_generated_calls_are_no_failure(fuzzed: RunningServer) -> None:
    call_all(fuzzed, examples=1)


@pytest.mark.agents
def test_many_generated_calls_are_no_failure(fuzzed: RunningServer) -> None:
    call_all(fuzzed, examples=25)


@settings(deadline=None)
@given(JSON | st.binary() | st.text())
def test_any_message_is_read_or_refused(value: Any) -> None:
    raw = value if isinstance(value, (bytes, str)) else msgspec.json.encode(value)
    with contextlib.suppress(LisaError):
        client_messages.parse_message(raw)


@settings(deadline=None)
@given(st.sampled_from(["prompt", "interrupt", "tool_approval_response", "ask_user_question_response", "x"]), JSON)
def test_any_payload_is_read_or_refused(kind: str, payload: Any) -> None:
    with contextlib.suppress(LisaError):
        client_messages.parse_message(msgspec.json.encode({"type": kind, "payload": payload}))


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_any_page_cursor_is_read_or_refused(text: str) -> None:
    try:
        assert session_objects.parse_page_cursor(text)
    except LisaError as problem:
        assert problem.code == "invalid_cursor"


@settings(deadline=None)
@given(st.text() | JSON.map(lambda value: msgspec.json.encode(value).decode()))
def test_any_definition_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(LisaError):
        for document in yaml_documents.read_documents("agent.yaml", text):
            assert all(each.name for each in records.read_records(document))


@settings(deadline=None)
@given(st.text() | st.from_regex(r"t\.[0-9a-f]{8}\.-?\d+\.\d+"))
def test_any_cursor_is_read_or_refused(text: str) -> None:
    try:
        position.parse_cursor(text)
    except LisaError as problem:
        assert problem.code == "invalid_cursor"


@settings(deadline=None)
@given(st.text() | st.builds("Bash({}:*)".format, st.text()), st.text())
def test_any_tool_pattern_decides(pattern: str, command: str) -> None:
    assert isinstance(tool_rules.is_pattern(pattern), bool)
    assert tool_rules.covers(pattern, "Bash", {"command": command}) in (True, False)
