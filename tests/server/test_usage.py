"""Usage over the API: names, hours, unknown names."""

from __future__ import annotations

from tests.server_kit import RunningServer
from tests.session_harness import SessionHarness

PATH = "/v1/org/usage/identities"
POINT = {
    "hour", "input_tokens", "output_tokens", "cache_read_tokens", "cost_usd", "estimated", "model", "provider",
}  # fmt: skip


def test_usage_of_a_definition_is_counted(server: RunningServer) -> None:
    folder = server.machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "night shift.yaml").write_text("prompt: '[usage 120 30 model-x] [say done]'\none_shot: false\n")
    made = server.call("POST", "/v1/api/sessions", {"definition": "night shift"})
    assert made.status == 201, made
    session = SessionHarness(server.machine, made.body["session"])
    session.wait_for_text("● done")
    session.wait_for_state("idle")
    names = server.call("GET", PATH).body["identities"]
    assert "night-shift" in names
    found = server.call("GET", f"{PATH}/night-shift").body
    assert found["identity"] == "night-shift" and all(set(each) == POINT for each in found["usage"])
    (point,) = (each for each in found["usage"] if each["model"] == "model-x")
    assert (point["input_tokens"], point["output_tokens"]) == (120, 30)


def test_unknown_name_and_project(server: RunningServer) -> None:
    reply = server.call("GET", f"{PATH}/nobody-here")
    assert (reply.status, reply.body["error"]) == (404, "identity_not_found")
    other = server.call("GET", PATH, headers={"X-LC-OID": "11111111-1111-5111-8111-111111111111"})
    assert (other.status, other.body["error"]) == (404, "project_not_found")
