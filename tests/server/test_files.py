"""Files: one-time addresses, sizes, and places outside of the session's folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lisa_py.core.live import transfers
from lisa_py.core.live.transfers import Transfers, clean_name
from tests.lisa_host import LisaHost
from tests.server.test_sockets import identify
from tests.server_kit import HttpReply, RunningServer
from tests.session_harness import SessionHarness, make_chat


@pytest.fixture(scope="module")
def chat(server: RunningServer) -> SessionHarness:
    stage = SessionHarness(server.machine, "lisa-files-1").spawn()
    make_chat(stage.ref)
    return stage


def folder_of(server: RunningServer) -> Path:
    return server.machine.project.resolve()


def ask_upload(server: RunningServer, chat: SessionHarness, name: str, size: int, **more: str) -> HttpReply:
    body = {"filename": name, "size": size, "content_type": "text/plain"}
    return server.call("POST", f"/v1/io/sessions/{identify(chat)}/upload", body, **more)


def send(server: RunningServer, url: str, content: bytes) -> HttpReply:
    return server.call("PUT", url.removeprefix(server.url), raw=content, token="")


def test_upload_arrives_once_below_uploads(server: RunningServer, chat: SessionHarness) -> None:
    asked = ask_upload(server, chat, "../../etc/.data.csv", 5).body
    path = folder_of(server) / "uploads" / "data.csv"
    assert asked["target_path"] == str(path) and not path.exists()
    assert datetime.fromisoformat(asked["expires_at"]) > datetime.now(UTC)
    done = {"upload_id": asked["upload_id"]}
    complete = f"/v1/io/sessions/{identify(chat)}/upload/complete"
    assert server.call("POST", complete, done).body["error"] == "transfer_not_found"
    assert send(server, asked["upload_url"], b"a,b\n1").status == 204
    assert send(server, asked["upload_url"], b"a,b\n2").body["error"] == "transfer_not_found"
    assert server.call("POST", complete, done).body == {"success": True, "path": str(path)}
    assert path.read_bytes() == b"a,b\n1" and path.stat().st_mode & 0o777 == 0o600
    assert ask_upload(server, chat, "data.csv", 1).body["target_path"] == str(path.with_name("data-1.csv"))
    assert os.listdir(path.parent) == ["data.csv"]


def test_wrong_size_leaves_no_file(server: RunningServer, chat: SessionHarness) -> None:
    for content in (b"", b"abc", b"abcde"):
        asked = ask_upload(server, chat, "sized.txt", 4).body
        assert send(server, asked["upload_url"], content).body["error"] == "size_mismatch"
    assert not list((folder_of(server) / "uploads").glob("*sized*"))
    assert ask_upload(server, chat, "big", (100 << 20) + 1).status == 413
    assert ask_upload(server, chat, "less", -1).body["details"]["fields"] == ["size"]


def test_download_stays_in_the_folder(server: RunningServer, chat: SessionHarness, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = folder_of(server)
    (folder / "report.txt").write_text("done")
    (folder / "link.txt").symlink_to(secret)
    (folder / "inner.txt").symlink_to(folder / "report.txt")
    ask = f"/v1/io/sessions/{identify(chat)}/download"
    for path, code, status in (
        ("../secret.txt", "path_refused", 403),
        (str(secret), "path_refused", 403),
        ("/workspace/../x", "path_refused", 403),
        ("/workspace/link.txt", "path_refused", 403),
        ("a\x00b", "path_refused", 403),
        ("none.txt", "file_not_found", 404),
        ("/workspace", "file_not_found", 404),
    ):
        reply = server.call("POST", ask, {"path": path})
        assert (reply.body["error"], reply.status) == (code, status), path
    for path in ("report.txt", "/workspace/report.txt", str(folder / "report.txt"), "inner.txt"):
        asked = server.call("POST", ask, {"path": path}).body
        assert asked["size"] == 4
        place = asked["download_url"].removeprefix(server.url)
        got = server.call("GET", place, token="")
        assert (got.status, got.body) == (200, "done")
        assert server.call("GET", place, token="").status == 404
    asked = server.call("POST", ask, {"path": "report.txt"}).body
    (folder / "report.txt").unlink()
    (folder / "report.txt").symlink_to(secret)
    assert server.call("GET", asked["download_url"].removeprefix(server.url), token="").status == 403


def test_files_need_the_control_scope(server: RunningServer, chat: SessionHarness) -> None:
    assert ask_upload(server, chat, "x", 1, token=server.mint(scope="read")).status == 403
    assert ask_upload(server, chat, "x", 1, token="").status == 401
    ask = f"/v1/io/sessions/{identify(chat)}/download"
    assert server.call("POST", ask, {"path": "x"}, token=server.mint(scope="read")).status == 403
    assert server.call("GET", "/v1/io/downloads/unknown", token="").status == 404


def test_files_over_the_socket(server: RunningServer, chat: SessionHarness) -> None:
    with server.connect(identify(chat)) as reader, server.connect(identify(chat), family="org") as other:
        reader.read_until("session_status")
        other.read_until("session_status")
        reader.send("upload_request", request_id="r1", filename="ws.txt", content_type="text/plain", size=2)
        asked = reader.read_until("upload_url", request_id="r1")["payload"]
        assert asked["url"] == asked["upload_url"]
        assert send(server, asked["url"], b"ok").status == 204
        reader.send("upload_complete", request_id="r1", filename="ws.txt", path="/workspace/uploads/ws.txt")
        for each in (reader, other):
            arrived = each.read_until("system", subtype="file_uploaded")["payload"]
            assert arrived["path"] == asked["target_path"]
            assert arrived.get("request_id") == ("r1" if each is reader else None)
        reader.send("download_request", request_id="r2", path="/workspace/uploads/ws.txt")
        found = reader.read_until("download_url", request_id="r2")["payload"]
        assert found["size"] == 2
        assert server.call("GET", found["url"].removeprefix(server.url), token="").body == "ok"
        reader.send("download_request", request_id="r3", path="../x")
        refused = reader.read_until("error")["payload"]
        assert (refused["code"], refused["reason"], refused["request_id"]) == ("file_error", "path_refused", "r3")


def test_uploads_folder_may_not_be_a_symlink(machine: LisaHost, tmp_path: Path) -> None:
    ref = SessionHarness(machine).ref
    (machine.project / "uploads").symlink_to(tmp_path)
    with pytest.raises(transfers.LisaError, match="leaves the folder"):
        Transfers(lambda: 0.0).plan_upload(ref, "x", 1)


def test_addresses_expire(machine: LisaHost) -> None:
    now = [0.0]
    planned = Transfers(lambda: now[0])
    found = planned.plan_upload(SessionHarness(machine).ref, "x", 1)
    now[0] = transfers.LIFETIME_SECONDS + 1
    with pytest.raises(transfers.LisaError, match="expired"):
        planned.receive(found.id, [b"x"])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a/b.txt", "b.txt"),
        ("..\\..\\b.txt", "b.txt"),
        ("...", "file"),
        ("a\x00b\n.txt", "ab.txt"),
        ("ä" * 300 + ".md", "ä" * 98 + ".md"),
    ],
)
def test_file_names_are_sanitized(given: str, name: str) -> None:
    assert clean_name(given) == name
    assert len(clean_name(given).encode()) <= 200
