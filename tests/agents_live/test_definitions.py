"""Definitions start the real claude and codex: long prompts, one answer, the request that waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents
LINES = "\n".join(f"line {number:04} `x` 'quoted' $HOME <oid>" for number in range(720))


@pytest.mark.parametrize("pin", pins(), ids=lambda pin: f"{pin.agent}-{pin.version}")
def test_a_record_runs_once_and_the_newest_request_follows(machine: LisaHost, api: FakeModelApi, pin: Any) -> None:
    assert len(LINES) > 24_000
    LiveSessionHarness(machine, api, pin.agent, version=pin.version)
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    record = {
        "agent": pin.agent,
        "prompt": f"{LINES}\n[fake wait 5 then text answer {{{{ .n }}}}]",
        "debounce_key": "k",
    }
    (folder / "a.json.yaml").write_text(json.dumps({"ai_agent": {"a": {"data": record}}}))

    def start(number: int) -> dict[str, Any]:
        answer = machine.lisa("start-session", "a", "--data", f'{{"n": {number}}}', "--json")
        assert answer.code == 0, answer
        found: dict[str, Any] = answer.json
        return found

    first = start(1)
    assert first["status"] == "starting"
    assert [start(number)["status"] for number in (2, 3)] == ["queued", "queued"]
    for number in (1, 3):
        asked = api.wait_for_prompt(f"then text answer {number}", timeout=60)
        prompt = next(prompt for prompt in map(str, api.prompts()) if f"answer {number}]" in prompt)
        assert (
            asked
            and f"{LINES}\n[fake wait 5 then text answer {number}]\n\nEvent data:\n```yaml\nn: {number}\n```" in prompt
        )
    assert not [prompt for prompt in map(str, api.prompts()) if "answer 2]" in prompt]

    def running() -> list[str]:
        names: list[str] = machine.lisa("session", "list", "--active-only", "--json").json["sessions"]
        return names

    wait_until(lambda: running() == [], timeout=60, what="the end of both sessions")


@pytest.mark.parametrize("pin", pins(), ids=lambda pin: pin.agent)
def test_flags_of_the_client_reach_the_agent(machine: LisaHost, api: FakeModelApi, pin: Any) -> None:
    LiveSessionHarness(machine, api, pin.agent, version=pin.version)
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(f"agent: {pin.agent}\nprompt: old\nmodel: old\n")
    key = f"sk-ant-api03-planted-{pin.agent}"
    machine.lisa("secret", "set", "planted", stdin=key)
    model, made = ("sonnet", "gpt-5.4")[pin.agent == "codex"], machine.project / "made"
    flags = (
        "--prompt", f"[fake ask mkdir {made} then text finished]", "--model", model, "--permission-mode", "acceptEdits",
        "--allowed-tools", "Bash(mkdir:*)", "--env", "PLANTED=hive://secret/planted", "--anthropic-key",
        "hive://secret/planted", "--no-one-shot", "--max-turns", "9", "--ttl-seconds", "900", "--output", "json",
    )  # fmt: skip
    answer = machine.lisa("ai", "start-session", "--definition", "a", *flags)
    found = json.loads(answer.out)
    first = api.wait_for_prompt("fake ask mkdir", timeout=60)
    assert model in first.body["model"] and (first.credential == key[-8:]) == (pin.agent == "claude")
    is_refused = any(each.startswith("credentials is not applied") for each in found.get("warnings", ()))
    assert is_refused == (pin.agent == "codex") and key not in answer.out + answer.err

    def read(*words: str) -> list[dict[str, Any]]:
        out = machine.lisa("ai", "session", "history", "--id", found["session_id"], *words, check_schema=False).out
        messages: list[dict[str, Any]] = json.loads(out)["messages"]
        return messages

    messages = wait_until(lambda: (now := read())[-1:] and now[-1]["type"] == "result" and now, timeout=60)
    assert made.is_dir()
    kinds = [message["type"] for message in messages if message["type"] != "system"]
    assert [kind for kind in kinds if kind != "assistant"] == ["user", "tool_use", "tool_result", "result"]
    assert read("--before", messages[-1]["cursor"]) == messages[:-1]
    assert messages == [message for message in read("--raw") if message in messages]
    ended = machine.lisa("ai", "session", "terminate", "--id", found["session_id"])
    assert json.loads(ended.out) == {"terminated": True}
    assert read()[: len(messages)] == messages
