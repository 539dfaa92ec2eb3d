"""Flows of the client core without a network: tokens, retries, pages."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lisa_py.client import (
    APIError,
    AuthenticationError,
    ConflictError,
    ConnectionLostError,
    ForbiddenError,
    InvalidAnswerError,
    InvalidFieldsError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerUnreachableError,
    calls,
)
from lisa_py.client.flow import (
    ClientCore,
    Flow,
    Outcome,
    Pause,
    Send,
    ServerPlace,
    SessionPages,
    parse_place,
    read_renewal,
)
from lisa_py.client.retry import Failure, HttpReply
from lisa_py.contract.client_answers import SessionsResult

Server = Callable[[Send], Outcome]
PLACE = ServerPlace(url="http://127.0.0.1:1")


class Trip:
    """A flow that was run, with its requests and pauses."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.requests: list[Send] = []
        self.pauses: list[float] = []

    def run(self, flow: Flow[Any]) -> Any:
        outcome: Outcome = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Pause):
                    self.pauses.append(step.seconds)
                else:
                    self.requests.append(step)
                    outcome = self._server(step)
        except StopIteration as end:
            return end.value

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    @property
    def tokens(self) -> list[str]:
        return [request.headers.get("Authorization", "") for request in self.requests]


def answer(status: int, body: Any = None, **headers: str) -> HttpReply:
    return HttpReply(status, headers, b"" if body is None else msgspec.json.encode(body))


def make_token(number: int, end: float) -> str:
    middle = base64.urlsafe_b64encode(msgspec.json.encode({"exp": end, "n": number})).decode().rstrip("=")
    return f"h.{middle}.s"


class TokenServer:
    """Mints numbered tokens of a hundred seconds; accepts the newest only."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.minted = 0

    @property
    def newest(self) -> str:
        return make_token(self.minted, self.now + 100)

    def __call__(self, request: Send) -> Outcome:
        if request.path == "/jwt":
            self.minted += 1
            self.token = self.newest
            return answer(200, {"jwt": self.token})
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return answer(401, {"error": "unauthorized", "message": "expired"})
        return answer(200, {"has_credentials": True, "credential_type": "api_key", "created_at": None})


def make_core(retry: Retry | None = None, **options: Any) -> ClientCore:
    return ClientCore(lambda: PLACE, retry=retry or Retry(), **options)


def test_token_is_minted_once_and_renewed_before_its_end() -> None:
    server = TokenServer()
    core = make_core(find_api_key=lambda: "key with & and =", oid="o 1", clock=lambda: server.now)
    trip = Trip(server)
    for _ in range(2):
        assert trip.run(core.perform(calls.get_credential_status())).credential_type == "api_key"
    assert trip.paths == ["POST /jwt", *["GET /v1/auth/claude/status"] * 2]
    assert trip.requests[0].content == b"secret=key%20with%20%26%20and%20%3D&oid=o%201"
    server.now += 49
    trip.run(core.perform(calls.get_credential_status()))
    server.now += 2  # at half of its life, which is shorter than two minutes
    trip.run(core.perform(calls.get_credential_status()))
    assert (server.minted, len(trip.requests)) == (2, 6)


def test_refused_token_is_renewed_exactly_once() -> None:
    server = TokenServer()
    core = make_core(find_api_key=lambda: "key", clock=lambda: server.now)
    trip = Trip(server)
    trip.run(core.perform(calls.get_credential_status()))
    server.token = "another"
    trip.run(core.perform(calls.get_credential_status()))
    assert server.minted == 2

    refusing = Trip(lambda request: answer(200, {"jwt": "t"}) if request.path == "/jwt" else answer(401))
    with pytest.raises(AuthenticationError):
        refusing.run(make_core(find_api_key=lambda: "key").perform(calls.create_session()))
    assert refusing.paths == ["POST /jwt", "POST /v1/sessions"] * 2


def test_given_token_is_never_renewed() -> None:
    trip = Trip(lambda request: answer(401, {"error": "unauthorized", "message": "m"}))
    with pytest.raises(AuthenticationError) as caught:
        trip.run(make_core(token="mine").perform(calls.get_profile("p")))
    assert trip.tokens == ["Bearer mine"]
    assert (caught.value.error, caught.value.message, caught.value.status) == ("unauthorized", "m", 401)


def test_wrong_api_key_is_an_authentication_error() -> None:
    trip = Trip(lambda request: answer(401, {"error": "unauthorized", "message": "wrong key"}))
    with pytest.raises(AuthenticationError, match="wrong key"):
        trip.run(make_core(find_api_key=lambda: "key").perform(calls.list_profiles()))
    assert trip.paths == ["POST /jwt"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, APIError),
        (401, AuthenticationError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, InvalidFieldsError),
        (429, RateLimitError),
        (500, APIError),
    ],
)
def test_errors_have_a_type_by_status(status: int, kind: type[APIError]) -> None:
    body = {"error": "code", "message": "text", "details": {"fields": ["a"]}}
    trip = Trip(lambda request: answer(status, body, **{"retry-after": "99"}))
    with pytest.raises(APIError) as caught:
        trip.run(make_core().perform(calls.get_session("s")))
    problem = caught.value
    assert type(problem) is kind
    assert (problem.error, problem.message, problem.status) == ("code", "text", status)
    assert (problem.details, problem.retry_after) == ({"fields": ["a"]}, 99.0)


def test_error_without_json_has_its_text() -> None:
    trip = Trip(lambda request: HttpReply(404, {}, b"no such page"))
    with pytest.raises(NotFoundError) as caught:
        trip.run(make_core().perform(calls.get_session("s")))
    assert (caught.value.error, caught.value.message) == ("unknown", "no such page")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Failure("unreachable", "refused"), ServerUnreachableError),
        (Failure("timeout", "late"), RequestTimeoutError),
        (Failure("lost", "gone"), ConnectionLostError),
    ],
)
def test_unanswered_call_is_repeated(outcome: Failure, kind: type[Exception]) -> None:
    trip = Trip(lambda request: outcome)
    with pytest.raises(kind, match=outcome.message):
        trip.run(make_core(Retry(max_retries=2)).perform(calls.get_session("s")))
    assert (len(trip.requests), trip.pauses) == (3, [1.0, 2.0])


def test_nothing_is_created_twice() -> None:
    for failing in (answer(503), answer(504), Failure("lost", ""), Failure("timeout", "")):
        for call in (calls.create_session(name="n"), calls.start_session(prompt="p"), calls.create_profile(name="n")):
            trip = Trip(lambda request, failing=failing: failing)  # type: ignore[misc]
            with pytest.raises((APIError, ConnectionLostError, RequestTimeoutError)):
                trip.run(make_core().perform(call))
            assert len(trip.requests) == 1
    outcomes = iter([Failure("lost", ""), answer(503), answer(200, {"session_id": "s", "status": "starting"})])
    keyed = Trip(lambda request: next(outcomes))
    started = keyed.run(make_core().perform(calls.start_session(prompt="p", idempotent_key="k")))
    assert (started.session_id, keyed.pauses) == ("s", [1.0, 2.0])


def test_moved_server_is_found() -> None:
    places = iter([PLACE, ServerPlace(url="http://127.0.0.1:2")])
    core = ClientCore(lambda: next(places), retry=Retry())
    outcomes = iter([Failure("unreachable", ""), answer(200, {"deleted": True})])
    assert Trip(lambda request: next(outcomes)).run(core.perform(calls.delete_profile("a/b"))).deleted
    assert core.place.url.endswith(":2")


def test_words_in_paths_are_encoded() -> None:
    trip = Trip(lambda request: answer(200, {"deleted": True}))
    trip.run(make_core().perform(calls.delete_session_record("../x y?z")))
    trip.run(make_core().perform(calls.list_sessions(status="running", limit=3, cursor="a+b=")))
    assert trip.paths == [
        "DELETE /v1/sessions/..%2Fx%20y%3Fz/record",
        "GET /v1/sessions?status=running&limit=3&cursor=a%2Bb%3D",
    ]


def test_pages_end_and_must_advance() -> None:
    pages = SessionPages(status="running", page_size=2, family="org")
    first = pages.next_call()
    assert first is not None and first.query == {"status": "running", "limit": "2"}
    pages.take(SessionsResult(sessions=(), next_cursor="c1"))
    second = pages.next_call()
    assert second is not None and second.query["cursor"] == "c1"
    with pytest.raises(InvalidAnswerError, match="does not advance"):
        pages.take(SessionsResult(sessions=(), next_cursor="c1"))
    pages.take(SessionsResult(sessions=(), next_cursor=""))
    assert pages.next_call() is None


@pytest.mark.parametrize(
    ("text", "url", "socket"),
    [
        ("http://127.0.0.1:4747/", "http://127.0.0.1:4747", ""),
        ("https://ai.example/base", "https://ai.example/base", ""),
        ("unix:/run/lisa.sock", "http://localhost", "/run/lisa.sock"),
        ("unix:///run/lisa.sock", "http://localhost", "/run/lisa.sock"),
    ],
)
def test_addresses(text: str, url: str, socket: str) -> None:
    assert parse_place(text) == ServerPlace(url=url, socket=socket)


@pytest.mark.parametrize("text", ["", "127.0.0.1:80", "ftp://x", "unix:", "unix:run/x", "http://"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid base_url"):
        parse_place(text)


def test_token_without_a_readable_end_is_kept() -> None:
    assert read_renewal(make_token(1, 4600.0), 1000.0) == 4540.0
    for text in ("", "opaque", "a.b.c", "a.e30.c", "a.W10.c", "ü.ü.ü"):
        assert read_renewal(text, 0.0) == float("inf")
