"""The config store over the API: forms and answers of the client, and what they are on disk."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.definitions.hives import Hive, RecordChange
from lisa_py.server.routes.hive import FORM_BYTES
from tests.lisa_host import LisaHost
from tests.server_kit import HttpReply, RunningServer

PLANTED = "planted-secret-8841"
HISTORY = {"etag", "created_at", "created_by", "guid", "last_author", "last_mod", "last_error", "last_error_ts"}


def url(server: RunningServer, hive: str, key: str = "", target: str = "") -> str:
    one = f"/v1/hive/{hive}/{server.project_id}"
    return one + (f"/{quote(key, safe='')}" if key else "") + (f"/{target}" if target else "")


def write(server: RunningServer, hive: str, key: str, data: Any = None, target: str = "data", **form: Any) -> HttpReply:
    fields = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in form.items()}
    fields |= {} if data is None else {"data": json.dumps(data)}
    return server.call("POST", url(server, hive, key, target), raw=urlencode(fields).encode())


def read(server: RunningServer, hive: str, key: str, target: str = "data") -> HttpReply:
    return server.call("GET", url(server, hive, key, target))


def test_secret_is_that_of_lisa_secret(server: RunningServer) -> None:
    written = write(server, "secret", "team/key", {"secret": PLANTED}, usr_mtd={"tags": ["a"], "enabled": True})
    assert written.status == 200 and set(written.body) == {"guid", "name", "etag"}
    assert server.machine.lisa("secret", "get", "team/key", "--json").json["value"] == PLANTED
    found = read(server, "secret", "team/key").body
    assert found["data"] == {"secret": PLANTED} and set(found["sys_mtd"]) == HISTORY
    assert (found["usr_mtd"]["tags"], found["usr_mtd"]["enabled"]) == (["a"], True)
    assert read(server, "secret", "team/key", "mtd").body == {**found, "data": {}}
    listed = server.call("GET", url(server, "secret")).body
    assert listed["team/key"] == {**found, "data": {}} and PLANTED not in str(listed)
    refused = server.call("GET", url(server, "secret", "team/key", "data"), token=server.mint(scope="read"))
    assert (refused.status, refused.body["error_code"]) == (403, "UNAUTHORIZED") and PLANTED not in str(refused)
    assert server.call("DELETE", url(server, "secret", "team/key")).body == {}
    gone = read(server, "secret", "team/key")
    assert gone.status == 400 and gone.body["error"].startswith("lc_error_code:RECORD_NOT_FOUND - ")
    assert server.machine.lisa("secret", "get", "team/key").code == 1
    assert PLANTED not in server.error_file.read_text()


def test_memories_may_be_larger_than_other_bodies(server: RunningServer) -> None:
    large = {"memories": {"notes/large": "é" * (600 << 10)}}  # 4.7 MiB as a form
    assert write(server, "ai_memory", "large", large).status == 200
    assert read(server, "ai_memory", "large").body["data"] == large
    for hive, data in (("sop", {"text": "x" * (1 << 20)}), ("secret", {"secret": "x" * (1 << 20)})):
        refused = write(server, hive, "large", data)
        assert (refused.status, refused.body["error"]) == (413, "too_large") and read(
            server, hive, "large"
        ).status == 400
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {server.key}", "Content-Length": str(FORM_BYTES + 1)}
        connection.request("POST", url(server, "ai_memory", "large", "data"), headers=headers)
        assert connection.getresponse().status == 413  # before it is read


def test_memories_have_ten_megabytes_together(machine: LisaHost) -> None:
    hive = Hive(machine.context(), machine.context().project(), "ai_memory")
    first = {"memories": {"a": "x" * (9 << 20)}}
    hive.write("notes", RecordChange(data=first))
    with pytest.raises(LisaError, match="at most 10485760 bytes") as refused:
        hive.write("notes", RecordChange(data={"memories": {"b": "x" * (2 << 20)}}))
    assert refused.value.code == "too_large" and hive.get("notes").data == first


def test_secret_of_the_user_is_read_and_kept(server: RunningServer) -> None:
    server.machine.lisa("secret", "set", "mine", stdin="of the user")
    assert read(server, "secret", "mine").body["data"] == {"secret": "of the user"}
    assert write(server, "secret", "mine", {"secret": "of the project"}).status == 200
    assert server.machine.lisa("secret", "get", "mine", "--json").json["value"] == "of the project"


def test_definition_is_a_file_of_the_project(server: RunningServer) -> None:
    data = {"prompt": "Look\nat it.\n", "model": "opus", "max_turns": 3, "anthropic_secret": "hive://secret/k", "x": 1}
    metadata = {"enabled": True, "tags": ["ai-agent:t"], "comment": "c"}
    written = write(server, "ai_agent", "triage", data, usr_mtd=metadata)
    assert written.status == 200, written
    path = server.machine.project / ".lisa" / "agents" / "triage.yaml"
    assert "prompt: |\n    Look\n    at it.\n" in path.read_text()
    found = read(server, "ai_agent", "triage").body
    assert found["data"] == data and {key: found["usr_mtd"][key] for key in metadata} == metadata
    shown = server.machine.lisa("agents", "show", "triage", "--json").json
    assert (shown["prompt"], shown["settings"]["max_turns"], shown["tags"]) == (data["prompt"], 3, ["ai-agent:t"])
    assert write(server, "ai_agent", "triage", target="mtd", usr_mtd={"enabled": False}).status == 200
    changed = read(server, "ai_agent", "triage").body
    assert (changed["data"], changed["usr_mtd"]["enabled"], changed["usr_mtd"]["tags"]) == (data, False, [])
    server.call("DELETE", url(server, "ai_agent", "triage"))
    assert not path.exists()
    assert read(server, "ai_agent", "triage").body["error_code"] == "RECORD_NOT_FOUND"


def test_read_tokens_see_no_values_of_definitions(server: RunningServer) -> None:
    data = {
        "prompt": "p",
        "anthropic_secret": PLANTED,
        "environment": {"A": PLANTED, "B": "env:HOME"},
        "bedrock": {"region": "r", "access_key_id_secret": PLANTED},
        "mcp_servers": {"m": {"url": "u", "headers": {"X": PLANTED}, "env": {"Y": PLANTED}}},
    }
    assert write(server, "ai_agent", "hidden", data).status == 200
    token, hidden = server.mint(scope="read"), "[REDACTED_SECRET]"
    found = server.call("GET", url(server, "ai_agent", "hidden", "data"), token=token).body
    assert found["data"]["environment"] == {"A": hidden, "B": "env:HOME"} and found["data"]["prompt"] == "p"
    assert found["data"]["bedrock"] == {"region": "r", "access_key_id_secret": hidden}
    listed = server.call("GET", url(server, "ai_agent") + "?limit=500", token=token).body
    assert listed["records"]["hidden"] == found and PLANTED not in str(listed)
    assert read(server, "ai_agent", "hidden").body["data"] == data


def test_definition_of_any_name_has_a_file(server: RunningServer) -> None:
    assert write(server, "ai_agent", "team/a b: c", {"prompt": "p"}).status == 200
    (path,) = (server.machine.project / ".lisa" / "agents").glob("team-a-b-c-*.yaml")
    assert read(server, "ai_agent", "team/a b: c").body["data"] == {"prompt": "p"}
    assert write(server, "ai_agent", "team/a b: c", {"prompt": "q"}).status == 200
    renamed = server.call("POST", url(server, "ai_agent", "team/a b: c", "rename") + "?new_name=short", raw=b"")
    assert (renamed.status, renamed.body["name"]) == (200, "short") and not path.exists()
    assert read(server, "ai_agent", "short").body["data"] == {"prompt": "q"}


def test_file_with_more_than_the_record_is_kept(server: RunningServer) -> None:
    folder = server.machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    several = "ai_agent:\n  one: {prompt: p}\n  two: {prompt: p}\n"
    (folder / "several.yaml").write_text(several)
    for reply in (write(server, "ai_agent", "one", {"prompt": "q"}),
                  server.call("DELETE", url(server, "ai_agent", "one")),
                  write(server, "ai_agent", "several", {"prompt": "q"})):  # fmt: skip
        assert (reply.status, reply.body["error"]) == (409, "definition_not_writable")
    assert (folder / "several.yaml").read_text() == several


@pytest.mark.parametrize(
    ("hive", "data", "status", "error"),
    [
        ("ai_agent", {"prompt": "p", "max_turns": 0}, 422, "invalid_max_turns"),
        ("ai_agent", {"prompt": 5}, 422, "invalid_definition"),
        ("ai_agent", {}, 422, "validation_failed"),
        ("secret", {}, 422, "validation_failed"),
        ("secret", {"secret": " "}, 422, "validation_failed"),
        ("sop", {"text": ""}, 422, "validation_failed"),
        ("ai_memory", {"memories": {"a": 1}}, 422, "validation_failed"),
        ("ai_skill", "text", 422, "validation_failed"),
        ("dr-general", {"a": 1}, 404, "hive_not_found"),
    ],
)
def test_refused_records_are_not_written(server: RunningServer, hive: str, data: Any, status: int, error: str) -> None:
    for target in ("validate", "data"):
        reply = write(server, hive, "refused", data, target)
        assert (reply.status, reply.body["error"]) == (status, error), reply
    if status != 404:
        assert read(server, hive, "refused").body["error_code"] == "RECORD_NOT_FOUND"


def test_valid_record_is_only_checked(server: RunningServer) -> None:
    assert write(server, "sop", "checked", {"text": "t"}, "validate").body == {"valid": True}
    assert read(server, "sop", "checked").status == 400
    missing = server.call("POST", url(server, "sop", "checked", "data"), raw=b"")
    assert (missing.status, missing.body["details"]["fields"]) == (422, ["data"])
    elsewhere = write(server, "sop", "checked", {"text": "t"}, arl="[https,x]")
    assert (elsewhere.status, elsewhere.body["error"]) == (501, "not_supported")
    assert write(server, "sop", "checked", target="mtd", usr_mtd={"enabled": True}).status == 400


def test_stale_etag_is_refused(server: RunningServer) -> None:
    first = write(server, "sop", "etag", {"text": "one"}).body["etag"]
    assert read(server, "sop", "etag").body["sys_mtd"]["etag"] == first
    second = write(server, "sop", "etag", {"text": "two"}, etag=first)
    assert second.status == 200 and second.body["etag"] != first
    stale = write(server, "sop", "etag", {"text": "three"}, etag=first)
    assert stale.status == 409 and stale.body["error"].startswith("lc_error_code:ETAG_MISMATCH - ")
    assert read(server, "sop", "etag").body["data"] == {"text": "two"}


def test_memories_are_merged_by_name(server: RunningServer) -> None:
    write(server, "ai_memory", "m", {"memories": {"a": "1", "b": "2"}})
    write(server, "ai_memory", "m", {"memories": {"b": None, "c": "3"}})
    assert read(server, "ai_memory", "m").body["data"] == {"memories": {"a": "1", "c": "3"}}


def test_pages_are_complete_and_end(server: RunningServer) -> None:
    names = [f"note {number:02}/é" for number in range(5)]
    for name in names:
        write(server, "org_notes", name, {"text": "x" * 50}, usr_mtd={"enabled": True, "tags": [f"t:{name}"]})
    assert sorted(server.call("GET", url(server, "org_notes")).body) == names
    found, cursor, pages = [], "", 0
    while cursor or not pages:
        page = server.call("GET", f"{url(server, 'org_notes')}?limit=2&cursor={cursor}").body
        found += list(page["records"])
        cursor, pages = page["next_cursor"], pages + 1
    assert (found, pages) == (names, 3)
    tagged = server.call("GET", f"{url(server, 'org_notes')}?limit=50&mtd_only=true&tag_prefix=t%3Anote%2003").body
    assert list(tagged["records"]) == [names[3]] and tagged["records"][names[3]]["data"] == {}
    small = server.call("GET", f"{url(server, 'org_notes')}?limit=50&max_bytes=10").body
    assert list(small["records"]) == names[:1] and small["next_cursor"]
    bad = server.call("GET", f"{url(server, 'org_notes')}?limit=2&cursor=%21%21")
    assert (bad.status, bad.body["error_code"]) == (400, "INVALID_CURSOR")


def test_every_hive_has_a_schema(server: RunningServer) -> None:
    for hive, field in (("ai_agent", "prompt"), ("secret", "secret"), ("sop", "text"), ("ai_memory", "memories")):
        found = server.call("GET", f"/v1/hive/{hive}/schema").body["schema"]
        assert found["type"] == "object" and field in found["required"]
    assert server.call("GET", "/v1/hive/none/schema").status == 404


def test_unknown_project_and_read_tokens_are_refused(server: RunningServer) -> None:
    assert server.call("GET", "/v1/hive/secret/11111111-1111-5111-8111-111111111111").status == 404
    reply = server.call("POST", url(server, "sop", "x", "data"), raw=b"data={}", token=server.mint(scope="read"))
    assert (reply.status, reply.body["error"]) == (403, "forbidden")
