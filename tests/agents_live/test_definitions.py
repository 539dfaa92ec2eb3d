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
