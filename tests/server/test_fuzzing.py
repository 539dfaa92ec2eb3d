"""Generated calls of every described operation, and generated texts for every parser: no call is a failure."""

from __future__ import annotations

import base64
import contextlib
import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import hypothesis
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from websockets.exceptions import InvalidStatus

from lisa_py import commands
from lisa_py.contract.errors import LisaError
from lisa_py.core.definitions import records, yaml_documents
from lisa_py.core.fleet import session_objects
from lisa_py.core.guard import tool_rules
from lisa_py.core.live import position
from lisa_py.server import client_messages
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.server.test_sockets import identify
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness, make_chat

STARTING = ("/v1/api/sessions", "/v1/sessions", "/v1/sessions/{id}/fork")
LONG_COMMANDS = ("demo", "session/smoke", "session/preflight")
"""Commands that check the whole machine, for seconds, whatever their flags are."""
PROGRAM_KEYS = ("command", "from_command", "webhook")
"""Keys that name what is run or reached: a generated one could be anything."""
PLACES = ("PATH", "FILE", "TARGET")
READER_SECONDS = 1.0
"""Time after which the reader of a command leaves."""
FAILURES = (500, 502, 503, 504)
"""501 is the answer of a service that is not on this machine."""
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def list_places() -> dict[str, set[str]]:
    """Return the keys of each command that name a file, by the path of its operation."""
    found = {}
    for words in commands.paths():
        command = commands.load(words)
        fields = command.fields if command is not None else ()
        found["/commands/" + "/".join(words)] = {field.name for field in fields if field.flag.metavar in PLACES}
    return found


class Fuzzer:
    """Generated calls of the operations that a server describes."""

    def __init__(self, server: RunningServer) -> None:
        self._headers = {"Authorization": f"Bearer {server.key}", "X-LC-OID": server.project_id}
        self._places = list_places()
        described = schemathesis.openapi.from_dict(server.call("GET", "/openapi", token="").body)
        described.config.update(base_url=server.url)
        self.operations = [result.ok() for result in described.get_all_operations()]

    def call(self, operation: Any, examples: int, on_reply: Callable[[int], object] = lambda status: None) -> None:
        """Call an operation with generated values; no call fails, and its answer is described.

        `on_reply` gets the status; 0: the reader has left before the answer.
        """

        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            self._tame(case)
            try:
                reply = case.call(headers=self._headers, timeout=READER_SECONDS)
            except requests.Timeout:
                assert case.path.startswith("/commands/"), (case.method, case.path)
                on_reply(0)
                return
            assert reply.status_code not in FAILURES, (case.method, case.path, case.body, reply.text)
            case.validate_response(reply, checks=CHECKS)
            on_reply(reply.status_code)

        check()

    def _tame(self, case: Any) -> None:
        """Leave out programs, and keep files in the folder of the project."""
        for key in list(case.body) if isinstance(case.body, dict) else ():
            if key in PROGRAM_KEYS:
                del case.body[key]
            elif key in self._places.get(case.path, ()) and isinstance(case.body[key], str):
                case.body[key] = case.body[key].replace("/", "_")


def acts(operation: Any) -> bool:
    """Return True for an operation that starts, changes or follows sessions."""
    described = operation.definition.raw
    if operation.method.upper() == "POST" and operation.path in STARTING:
        return True
    is_acting = described.get("x-scope") == "control" or described.get("x-streams")
    return operation.path.startswith("/commands/") and bool(is_acting)


def list_panes(machine: LisaHost) -> set[str]:
    """Return the names of all sessions of tmux."""
    found: set[str] = set()
    for path in machine.sockets.iterdir():
        call = ["tmux", "-S", str(path), "list-sessions", "-F", "#{session_name}"]
        found.update(subprocess.run(call, capture_output=True, text=True, check=False).stdout.split())
    return found


class PaneWatch:
    """The sessions of tmux before and after the calls of one operation: a refused call starts none."""

    def __init__(self, machine: LisaHost) -> None:
        self._machine = machine
        self._known = list_panes(machine)
        self._is_unsure = False
        """True once a call was left that may still be starting one."""

    def note(self, status: int) -> None:
        self._is_unsure = self._is_unsure or not status
        found = list_panes(self._machine)
        assert self._is_unsure or status < 400 or found <= self._known, "a refused call has started a session"
        self._known |= found


def call_reading(server: RunningServer, examples: int, *, share: int = 1) -> None:
    """Call every operation that only reads, of those that are alike one in `share`; it starts and ends no session."""
    stage = SessionHarness(server.machine, f"lisa-fuzz-{examples}").spawn()
    fuzzer, known = Fuzzer(server), list_panes(server.machine)
    reading = [each for each in fuzzer.operations if not acts(each)]
    alike = [each for each in reading if each.definition.raw["tags"][0] in ("commands", "absent")]
    for operation in (*(each for each in reading if each not in alike), *alike[::share]):
        fuzzer.call(operation, examples)
    assert list_panes(server.machine) == known == {stage.name}
    assert "Traceback" not in server.error_file.read_text()


def call_acting(server: RunningServer, examples: int, *, share: int = 1) -> None:
    """Call every operation that acts, of the commands one in `share`; all sessions that they start can be ended."""
    fuzzer = Fuzzer(server)
    acting = [
        each for each in fuzzer.operations if acts(each) and each.path.removeprefix("/commands/") not in LONG_COMMANDS
    ]
    of_commands = [each for each in acting if each.path.startswith("/commands/")]
    for operation in (*(each for each in acting if each not in of_commands), *of_commands[::share]):
        assert server.call("POST", "/v1/register").status == 200  # a call may have taken it back
        fuzzer.call(operation, examples, PaneWatch(server.machine).note)
    server.call("POST", "/commands/session/kill-all", {})
    wait_until(lambda: not list_panes(server.machine), what="all sessions have ended")
    assert "Traceback" not in server.error_file.read_text()


@pytest.fixture(scope="module")
def fuzzed() -> Any:
    machine = LisaHost()
    try:
        with serving(machine, "--agent", "scripted") as server:
            yield server
    finally:
        machine.close()


def test_generated_calls_are_no_failure(fuzzed: RunningServer) -> None:
    call_reading(fuzzed, examples=1, share=8)


def test_generated_calls_that_act_are_no_failure(fuzzed: RunningServer) -> None:
    call_acting(fuzzed, examples=1, share=4)


@pytest.mark.agents
def test_many_generated_calls_are_no_failure(fuzzed: RunningServer) -> None:
    call_reading(fuzzed, examples=10)


@pytest.mark.agents
def test_many_generated_calls_that_act_are_no_failure(fuzzed: RunningServer) -> None:
    call_acting(fuzzed, examples=5)


MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200),
    JSON.map(msgspec.json.encode),
    st.builds(
        lambda kind, payload: msgspec.json.encode({"type": kind, "payload": payload}),
        st.sampled_from([kind for kind in client_messages.MESSAGES if kind != "prompt"]),
        JSON | st.fixed_dictionaries(
            {},
            optional={
                "tool_use_id": st.text(), "approved": st.booleans(), "question_id": st.text(), "request_id": st.text(),
                "answers": st.dictionaries(st.text(), st.text()), "filename": st.text(), "size": st.integers(),
                "path": st.text(), "message": st.text(), "updated_input": st.dictionaries(st.text(), JSON),
            },
        ),
    ),
)  # fmt: skip


def send_all(server: RunningServer, examples: int, seed: int = 0) -> None:
    """Send generated messages to one socket: it stays open, and the session gets nothing of them."""
    stage = SessionHarness(server.machine, f"lisa-socket-{seed}").spawn()
    with server.connect(make_chat(stage.ref)) as owner:
        sent = []

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None,
            suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        @given(MESSAGES)
        def check(message: bytes | str) -> None:
            sent.append(message)
            owner.connection.send(message)

        check()
        owner.send("heartbeat")
        owner.send("prompt", text="[say end]", prompt_id="last")
        assert owner.read_until("user")["payload"] == {"content": "[say end]", "prompt_id": "last"}
        refused = {frame["payload"]["code"] for frame in owner.frames if frame["type"] == "error"}
    assert len(sent) >= examples and refused >= {"invalid_message"}
    assert stage.prompts() == ["[say end]"] and "Traceback" not in server.error_file.read_text()
    stage.lisa("kill")


def test_generated_messages_leave_the_socket_open(fuzzed: RunningServer) -> None:
    send_all(fuzzed, examples=40)


@pytest.mark.agents
def test_many_generated_messages_leave_the_socket_open(fuzzed: RunningServer) -> None:
    for seed in range(1, 5):
        send_all(fuzzed, examples=80, seed=seed)


@pytest.mark.agents
@settings(deadline=None, max_examples=60, suppress_health_check=list(hypothesis.HealthCheck))
@given(st.text() | st.from_regex(r"[tp]\.[0-9a-f]{0,8}\.-?\d{0,30}(\.\d{0,30})?"))
def test_any_position_is_served_or_refused(fuzzed: RunningServer, text: str) -> None:
    stage = SessionHarness(fuzzed.machine, "lisa-places-1")
    if stage.ctx.read_meta(stage.ref) is None:
        make_chat(stage.spawn().ref)
    try:
        with fuzzed.connect(identify(stage), query="?" + urlencode({"since": text})) as reader:
            assert reader.read()["type"] == "history"
    except InvalidStatus as refused:
        assert refused.response.status_code == 400


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
