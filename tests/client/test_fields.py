"""The fields of requests and answers are spelled alike by the server, the Python and the TypeScript client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from lisa_py.client import fields
from lisa_py.contract import api_answers, api_requests, client_answers, live, session_settings
from lisa_py.contract.session_object import SessionObject

TYPES = Path(__file__).parents[2] / "sdk" / "typescript" / "src" / "types.ts"
NOT_OFFERED = {"profile_name", "lc_credentials", "lc_api_key", "lc_uid"}
"""Fields that the server accepts from other clients: without effect, or as another name."""


@pytest.mark.parametrize(
    ("keywords", "body"),
    [
        (fields.SettingsFields, session_settings.RequestSettings),
        (fields.ProfileFields, api_requests.ProfileBody),
        (fields.ChatFields, api_requests.ChatBody),
        (fields.StartFields, api_requests.StartBody),
        (fields.StartSettings, session_settings.SessionSettings),
        (fields.ForkFields, api_requests.ForkBody),
    ],
)
def test_keywords_are_the_fields_of_the_body(keywords: Any, body: type[Struct]) -> None:
    assert set(keywords.__annotations__) == set(body.__struct_fields__) - NOT_OFFERED


def read_interface(name: str) -> set[str]:
    """Return the fields of an interface of the TypeScript client, with those it extends."""
    found = re.search(rf"^export interface {name}(?: extends (\w+))? {{\n(.*?)^}}", TYPES.read_text(), re.M | re.S)
    assert found is not None, name
    inherited = read_interface(found[1]) if found[1] else set()
    return inherited | set(re.findall(r"^  (\w+)\??:", found[2], re.M))


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("CreateSessionRequest", api_requests.ChatBody),
        ("ForkRequest", api_requests.ForkBody),
        ("CreateProfileRequest", api_requests.ProfileBody),
        ("CaptureProfileRequest", api_requests.CaptureProfileBody),
        ("Profile", api_answers.ProfileObject),
        ("Session", SessionObject),
        ("ForkPreflight", api_answers.ForkPreflight),
        ("CredentialStatus", client_answers.CredentialsResult),
        ("StartOAuthResponse", api_answers.LoginStartResult),
        ("OAuthURLResponse", api_answers.LoginUrlResult),
        ("OAuthCodeResponse", api_answers.LoginCodeResult),
        ("ProviderCredential", api_answers.ProviderCredential),
        ("UploadResponse", api_answers.UploadTarget),
        ("UploadCompleteResponse", api_answers.UploadReport),
        ("DownloadResponse", api_answers.DownloadTarget),
    ],
)
def test_interfaces_are_the_structs_of_the_server(name: str, struct: type[Struct]) -> None:
    assert read_interface(name) == set(struct.__struct_fields__) - (NOT_OFFERED - {"lc_credentials"})


MESSAGES = TYPES.with_name("messages.ts")


def read_payload(name: str) -> set[str]:
    """Return the fields of the payload of a message of the TypeScript client."""
    found = re.search(rf"Message<\s*'{name}',\s*(?:(\w+)|\{{(.*?)\}}\s*>)", MESSAGES.read_text(), re.S)
    assert found is not None, name
    if found[1]:
        found = re.search(rf"^export interface {found[1]} (){{\n(.*?)^}}", MESSAGES.read_text(), re.M | re.S)
        assert found is not None, name
    return set(re.findall(r"(\w+)\??:", found[2]))


@pytest.mark.parametrize(("struct", "name"), live.FRAME_TYPES.items(), ids=live.FRAME_TYPES.values())
def test_messages_have_the_fields_of_frames(struct: type[Struct], name: str) -> None:
    assert {field.encode_name for field in msgspec.structs.fields(struct)} <= read_payload(name)


@pytest.mark.parametrize(
    ("struct", "name"),
    [(live.HistoryPayload, "history"), (live.TransferPayload, "upload_url"), (live.TransferPayload, "download_url")],
)
def test_other_messages_have_their_fields(struct: type[Struct], name: str) -> None:
    other = {"upload_url": {"download_url", "size"}, "download_url": {"upload_url", "upload_id", "target_path"}}
    assert set(struct.__struct_fields__) - other.get(name, set()) <= read_payload(name)


def test_notices_have_their_fields() -> None:
    assert set(live.NoticePayload.__struct_fields__) <= read_payload("error") | read_payload("system")
