"""Profiles, credentials, logins, secrets, usage, files and forks: both clients against a real server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lisa_py.client import (
    APIError,
    AsyncSessionSocket,
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    NotFoundError,
    SessionsClient,
    TransferError,
)
from lisa_py.contract.session_object import SessionObject
from tests.commands.auth.claude.test_login import CLAUDE_LIKE
from tests.polling import wait_until
from tests.server_kit import RunningServer


@pytest.fixture(scope="module")
def chat(server: RunningServer) -> Iterator[SessionObject]:
    """Yield a session with a conversation and usage."""
    with SessionsClient(server.url, api_key=server.key, oid=server.project_id) as client:
        made = client.create_session(
            prompt="[usage 120 30 model-x] [say done]", name="Source", denied_tools=["WebFetch"], max_turns=9
        )
        wait_until(lambda: client.fork_preflight(made.id).is_forkable, what="the conversation is recorded")
        yield made


def test_profile_lifecycle(client: Any, chat: SessionObject) -> None:
    environment = {"A": "env:HOME", "B": "planted-value-1"}
    made = client.create_profile(name="Strict", description="d", denied_tools=["Bash"], environment=environment)
    assert (made.name, made.description, made.denied_tools, made.is_default) == ("Strict", "d", ("Bash",), False)
    assert made.environment == {"A": "env:HOME", "B": "[REDACTED_SECRET]"}
    with pytest.raises(ConflictError) as twice:
        client.create_profile(name="Strict")
    assert twice.value.error == "profile_exists"
    changed = client.update_profile(made.id, max_turns=7)
    assert (changed.max_turns, changed.denied_tools) == (7, ("Bash",))
    assert client.get_profile(made.id) == changed and changed in client.list_profiles()
    former = next(each.id for each in client.list_profiles() if each.is_default)
    assert client.set_default_profile(made.id).is_default
    with pytest.raises(ConflictError) as default:
        client.delete_profile(made.id)
    assert default.value.error == "default_profile"
    client.set_default_profile(former)
    captured = client.capture_profile(chat.id, name="Captured", description="of a chat")
    assert (captured.denied_tools, captured.max_turns, captured.description) == (("WebFetch",), 9, "of a chat")
    for each in (made, captured):
        assert client.delete_profile(each.id).deleted
    with pytest.raises(NotFoundError, match="profile"):
        client.get_profile(made.id)


def test_keys_of_all_providers(client: Any) -> None:
    assert client.get_credential_status().has_credentials is False
    assert client.store_api_key("sk-ant-of-the-test").success
    status = client.get_credential_status()
    assert (status.has_credentials, status.credential_type) == (True, "api_key") and status.created_at
    with pytest.raises(InvalidFieldsError) as caught:
        client.store_api_key("two words")
    assert caught.value.details["fields"] == ["api_key"]
    azure = {"endpoint": "https://a.example", "deployment_name": "d", "api_version": "1", "api_key": "planted-azure"}
    google = {"project_id": "p", "region": "r", "service_account_json": "{}"}
    for provider, fields, kind in (
        ("openai", {"api_key": "planted-key"}, "api_key"),
        ("openai/azure", azure, "azure"),
        ("google", {"api_key": "planted-key"}, "api_key"),
        ("google/vertex", google, "vertex"),
        ("openrouter", {"api_key": "planted-key"}, "api_key"),
    ):
        assert client.store_provider_credential(provider, **fields).success
        found = client.get_credentials()
        assert "planted" not in repr(found)
        assert (found[provider.partition("/")[0]].has_credentials, found[provider.partition("/")[0]].type) == (
            True,
            kind,
        )
    for name in ("openai", "google", "openrouter"):
        assert client.delete_provider_credential(name).success
    assert client.delete_credentials().success
    assert [each.has_credentials for each in client.get_credentials().values()] == [False] * 4


def test_login_in_the_browser(client: Any, server: RunningServer) -> None:
    server.machine.add_program("claude", CLAUDE_LIKE)
    outcomes = []
    for code in ("bad", "good#state"):
        begun = client.start_oauth()
        assert begun.expires_in == 300
        wait_until(lambda: client.poll_oauth_url(begun.oauth_session_id).status == "url_ready", what="the address")  # noqa: B023
        assert str(client.poll_oauth_url(begun.oauth_session_id).url).startswith("https://claude.ai/oauth/authorize?")
        outcomes.append(client.submit_oauth_code(begun.oauth_session_id, code).success)
    assert outcomes == [False, True]
    assert client.get_credential_status().credential_type == "oauth_token"
    with pytest.raises(NotFoundError):
        client.poll_oauth_url("none")
    for token in client.run_command("oauth list")["tokens"]:
        client.run_command("oauth remove", id=token["id"])
    assert client.get_credential_status().has_credentials is False


def test_secrets_by_command(client: Any, server: RunningServer) -> None:
    place = {"project_root": str(server.machine.project)}
    client.run_command("secret set", name="service", stdin="planted-secret-7", **place)
    listed = client.run_command("secret list", **place)
    assert [each["name"] for each in listed["secrets"]] == ["service"] and "planted" not in str(listed)
    made = client.create_profile(name="With secret", environment={"TOKEN": "secret://service"})
    assert made.environment == {"TOKEN": "secret://service"}
    client.delete_profile(made.id)
    client.run_command("secret delete", name="service", **place)
    assert client.run_command("secret list", **place)["secrets"] == []


def test_usage_by_name(client: Any, chat: SessionObject) -> None:
    names = client.list_usage_identities()
    assert names
    points = [point for name in names for point in client.get_usage(name).usage if point.model == "model-x"]
    assert points and all(each.input_tokens == 4 * each.output_tokens >= 120 for each in points)
    with pytest.raises(NotFoundError) as caught:
        client.get_usage("no-such-name")
    assert caught.value.error == "identity_not_found"


def test_fork_continues_a_copy(client: Any, chat: SessionObject) -> None:
    facts = client.fork_preflight(chat.id)
    assert (facts.source_session_id, facts.default_fork_name, facts.missing_mcps) == (chat.id, "Fork of Source", ())
    copy = client.fork_session(chat.id, name="Copy", initial_prompt="[say copied]")
    assert (copy.forked_from_session_id, copy.name, copy.session_type) == (chat.id, "Copy", "user")
    assert client.terminate_session(copy.id).terminated and client.delete_session_record(copy.id).deleted


def test_transfers_report_progress(client: Any, chat: SessionObject, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    sent: list[float] = []
    path = client.upload_file(chat.id, content, "data.bin", on_progress=sent.append)
    assert path.endswith("uploads/data.bin") or "/uploads/data" in path
    assert sent == [25.0, 50.0, 75.0, 100.0]
    got: list[float] = []
    assert client.download_file(chat.id, path, on_progress=got.append) == content
    assert got == sorted(got) and got[-1] == 100.0
    target = tmp_path / "copy.bin"
    assert client.save_file(chat.id, path, target) == str(target) and target.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["copy.bin"]
    second = client.upload_file(chat.id, target)
    opened = io.BytesIO(b"head" + b"tail")
    opened.seek(4)
    third = client.upload_file(chat.id, opened, "tail.txt", content_type="text/plain")
    empty = client.upload_file(chat.id, b"", "empty")
    assert [client.download_file(chat.id, each) for each in (second, third, empty)] == [content, b"tail", b""]
    with pytest.raises(APIError) as outside:
        client.download_file(chat.id, "/etc/passwd")
    assert outside.value.status >= 400
    with pytest.raises(ValueError, match="has no name"):
        client.upload_file(chat.id, b"x")
    with pytest.raises(APIError):
        client.save_file(chat.id, "/none", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_files_over_the_socket(server: RunningServer, chat: SessionObject) -> None:
    content = b"x" * 300_000
    percents: list[float] = []
    with (
        SessionsClient(server.url, api_key=server.key) as client,
        client.open_socket(chat.id) as socket,
    ):
        path = socket.upload_file(content, "notes.txt", on_progress=percents.append)
        assert socket.download_file(path) == content and percents[-1] == 100.0
        with pytest.raises(TransferError, match="passwd"):
            socket.download_file("/etc/passwd")

        async def copy() -> bytes:

            async with AsyncSessionSocket(client.get_websocket_url(chat.id)) as awaiting:
                return await awaiting.download_file(await awaiting.upload_file(b"second", "notes.txt"))

        assert asyncio.run(copy()) == b"second"


def test_deregistration_ends_and_removes(server: RunningServer, chat: SessionObject) -> None:
    """The last test of this module: it ends the shared session."""
    with SessionsClient(server.url, api_key=server.key) as client:
        assert client.deregister().deregistered
        assert client.list_sessions().sessions == ()
        with pytest.raises(ForbiddenError) as caught:
            client.create_session()
        assert caught.value.error == "not_registered"
        assert client.register().registered
