"""Starts from definitions: layers, data, keys, refusals."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.contract.start_session import StartSessionResult
from lisa_py.core.definitions import profiles
from lisa_py.core.lifecycle import start_session
from lisa_py.core.lifecycle.start_session import PreparedStart, StartRequest
from lisa_py.host import env
from lisa_py.store import start_keys
from tests.lisa_host import LisaHost
from tests.polling import wait_until

RECORD: dict[str, Any] = {
    "agent": "scripted",
    "prompt": "Look at {{ .event.n }}.",
    "name": "Bot {{ .oid }}",
    "debounce_key": "bot-{{ .event.n }}",
    "one_shot": False,
    "data": {"oid": "routing.oid", "whole": "@this", "gone": "event.gone"},
}
EVENT = {"routing": {"oid": "o-1"}, "event": {"n": 5}}


def define(machine: LisaHost, name: str = "a", **fields: Any) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(json.dumps({**RECORD, **fields}), encoding="utf-8")


def prepare(machine: LisaHost, **changes: Any) -> PreparedStart:
    ctx = machine.context()
    return start_session.prepare_start(ctx, ctx.project(), StartRequest(**{"definition": "a", **changes}))


def start(machine: LisaHost, **changes: Any) -> StartSessionResult:
    return start_session.start_session(machine.context(), StartRequest(**{"definition": "a", **changes}))


def list_sessions(machine: LisaHost) -> list[str]:
    found: list[str] = machine.lisa("session", "list", "--active-only", "--json").json["sessions"]
    return found


def test_data_fills_templates_and_is_appended(machine: LisaHost) -> None:
    define(machine)
    found = prepare(machine, data=EVENT)
    assert found.spawn.launch.prompt == (
        "Look at 5.\n\nEvent data:\n```yaml\nevent:\n  n: 5\noid: o-1\nrouting:\n  oid: o-1\n```"
    )
    assert (found.spawn.settings.name, found.debounce_key) == ("Bot o-1", "bot-5")
    assert found.warnings == ("the data has no value for gone: event.gone",)
    own = prepare(machine, data={"x": 1}, prompt="Mine {{ .x }} {{ .y }}")
    assert own.spawn.launch.prompt == "Mine 1 {{ .y }}\n\nEvent data:\n```yaml\nx: 1\n```"
    assert "the data has no value for {{ .y }}" in own.warnings


def test_templates_stay_without_data(machine: LisaHost) -> None:
    define(machine)
    found = prepare(machine)
    assert found.spawn.launch.prompt == RECORD["prompt"] and found.spawn.settings.name == RECORD["name"]
    assert prepare(machine, data={}).spawn.launch.prompt == RECORD["prompt"]


def test_settings_are_merged_in_layers(machine: LisaHost) -> None:
    ctx = machine.context()
    profiles.set_profile(ctx, "Default", SessionSettings(max_turns=9, environment={"A": "profile", "B": "profile"}))
    define(machine, environment={"A": "definition"}, model="opus", max_turns=20, mcp_servers={"m": {"url": "u"}})
    found = prepare(machine, overrides=SessionSettings(model="sonnet", environment={"C": "caller"})).spawn.settings
    assert (found.model, found.max_turns, found.permission_mode, found.one_shot) == ("sonnet", 20, "acceptEdits", False)
    assert found.environment == {"A": "definition", "B": "profile", "C": "caller"}
    assert found.mcp_servers == {"m": {"url": "u"}} and found.allowed_tools and found.allowed_tools[0] == "Read"
    define(machine, one_shot=None)
    assert prepare(machine).spawn.settings.one_shot is True


def test_the_provider_chooses_the_agent(machine: LisaHost) -> None:
    define(machine, agent=None, provider="openai")
    assert prepare(machine).spawn.launch.agent == "codex"
    define(machine, agent=None, provider="unknown")
    assert prepare(machine).spawn.launch.agent == "claude"


def test_one_session_per_idempotent_key(machine: LisaHost) -> None:
    define(machine, debounce_key="")
    results: list[StartSessionResult] = []
    begin = threading.Barrier(3)

    def call() -> None:
        begin.wait()
        results.append(start(machine, idempotent_key="k"))

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.session_id for each in results}) == 1
    assert sorted(str(each.deduplicated) for each in results) == ["True", "True", "UNSET"]
    assert len({each.created_at for each in results}) == 1
    assert list_sessions(machine) == [results[0].session]
    machine.lisa("session", "kill", results[0].session)
    again = start(machine, idempotent_key="k")
    assert again.session != results[0].session and not again.deduplicated
    other = start(machine, idempotent_key="k", family="user")
    assert other.session != again.session


def test_newest_request_waits_for_its_debounce_key(machine: LisaHost) -> None:
    define(machine)
    first = start(machine, data=EVENT)
    queued = [start(machine, data=EVENT, prompt=f"number {n}", overrides=KEY) for n in (2, 3)]
    assert [(each.status, each.session_id, each.debounce_key) for each in queued] == [("queued", None, "bot-5")] * 2
    assert start(machine, data={"event": {"n": 6}, "routing": {"oid": "x"}}).status == "starting"
    waiting = list(Path(machine.context().project().folder).glob("pending/*"))
    assert len(waiting) == 1 and waiting[0].stat().st_mode & 0o777 == 0o600
    assert machine.lisa("session", "kill", first.session).code == 0
    wait_until(lambda: not waiting[0].exists(), what="the request is taken")  # by the kill or the supervisor's end
    wait_until(lambda: len(list_sessions(machine)) == 2, what="the request is started")
    folders = [Path(machine.context().ref(name).folder) for name in list_sessions(machine)]
    wait_until(lambda: all((folder / "record.json").exists() for folder in folders), what="its record is written")
    prompts = [read_prompt(machine, name) for name in list_sessions(machine)]
    assert sum(prompt.startswith("number 3") for prompt in prompts) == 1


KEY = SessionSettings(credentials={"api_key": "literal-key-0123"})


def read_prompt(machine: LisaHost, name: str) -> str:
    record = json.loads((Path(machine.context().ref(name).folder) / "record.json").read_text())
    assert "literal-key" not in json.dumps(record)
    return str(record["prompt"])


def test_the_end_of_an_agent_starts_the_waiting_request(machine: LisaHost) -> None:
    define(machine)
    first = start(machine, data=EVENT)
    assert start(machine, data=EVENT, prompt="second").status == "queued"
    machine.lisa("session", "send", first.session, "--text", "/exit", "--enter")

    def find() -> list[str]:
        return [name for name in list_sessions(machine) if name != first.session]

    found = wait_until(find, what="the second session")
    assert read_prompt(machine, found[0]).startswith("second")


def test_key_in_use_does_not_block_others(machine: LisaHost) -> None:
    define(machine)
    first = start(machine, data=EVENT)
    assert start(machine, data=EVENT, prompt="second").status == "queued"
    ctx = machine.context()
    project = ctx.project()
    (key,) = start_keys.list_waiting_keys(project)
    began = time.monotonic()
    with start_keys.lock(project, ctx.settings, key):
        machine.lisa("session", "kill", first.session)
        assert start_session.start_waiting(ctx, project) == () and time.monotonic() - began < 10
    assert start_keys.list_waiting_keys(project) == [key]
    assert start_keys.take_wake(project, key) and not start_keys.take_wake(project, key)
    assert [each.status for each in start_session.start_waiting(ctx, project)] == ["starting"]


def test_end_during_queueing_starts_the_request(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    define(machine)
    first = start(machine, data=EVENT)
    original = start_session._queue

    def end_before(*words: Any) -> StartSessionResult:
        machine.lisa("session", "kill", first.session)
        return original(*words)

    monkeypatch.setattr(start_session, "_queue", end_before)
    assert start(machine, data=EVENT, prompt="second").status == "queued"
    (name,) = list_sessions(machine)
    assert name != first.session and read_prompt(machine, name).startswith("second")


def test_a_waiting_request_keeps_its_idempotent_key(machine: LisaHost) -> None:
    define(machine)
    first = start(machine, data=EVENT)
    assert start(machine, data=EVENT, idempotent_key="k").status == "queued"
    machine.lisa("session", "kill", first.session)

    def find() -> list[str]:
        return [name for name in list_sessions(machine) if name != first.session]

    found = wait_until(find, what="the waiting request is started")
    again = start(machine, data=EVENT, idempotent_key="k")
    assert again.deduplicated is True and again.session == found[0]


def test_kill_all_drops_waiting_requests(machine: LisaHost) -> None:
    define(machine)
    start(machine, data=EVENT)
    assert start(machine, data=EVENT).status == "queued"
    machine.lisa("session", "kill-all")
    assert list_sessions(machine) == [] and start(machine, data=EVENT).status == "starting"


def test_crash_of_the_starter_starts_no_second_session(machine: LisaHost) -> None:
    """The key names the session before it exists."""
    define(machine, debounce_key="")
    first = start(machine, idempotent_key="k")
    (path,) = Path(machine.context().project().folder).glob("keys/*")
    holder = json.loads(path.read_text())
    path.write_text(json.dumps({**holder, "run_id": ""}))
    assert start(machine, idempotent_key="k").session_id == first.session_id


def test_a_long_prompt_reaches_the_agent_whole(machine: LisaHost) -> None:
    lines = "\n".join(f"line {number:04} 'quoted' $HOME `x`" for number in range(900))
    define(machine, prompt=f"{lines}\nend", debounce_key="")
    assert len(lines) > 24_000
    session = start(machine).session
    frames = wait_until(
        lambda: [
            json.loads(line)
            for line in machine.lisa("session", "history", session, "--raw").out.splitlines()
            if '"type":"user"' in line
        ],
        what="the prompt in the transcript",
    )
    assert [frame["payload"]["content"] for frame in frames] == [f"{lines}\nend"]


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"definition": "nope"}, "definition_not_found"),
    ({"prompt": ""}, {}, "missing_required_flag"),
    ({"max_turns": 0}, {}, "invalid_max_turns"),
    ({}, {"overrides": SessionSettings(ttl_seconds=0)}, "invalid_ttl_seconds"),
    ({}, {"overrides": SessionSettings(permission_mode="ask")}, "invalid_permission_mode"),
    ({}, {"overrides": SessionSettings(allowed_tools=("Bash(x)",))}, "invalid_tool_pattern"),
    ({"anthropic_secret": "hive://secret/none"}, {}, "secret_not_found"),
    ({}, {"overrides": SessionSettings(environment={"A": "env:NOT_SET_HERE"})}, "secret_not_found"),
    ({"agent": "nobody"}, {}, "invalid_agent"),
    ({"mode": "other"}, {}, "invalid_mode"),
    ({}, {"session": "bad name"}, "invalid_session_name"),
    ({}, {"project_root": "/no/such/folder"}, "invalid_project_root"),
]


@pytest.mark.parametrize(("fields", "changes", "code"), REFUSED)
def test_a_refused_start_creates_nothing(
    machine: LisaHost, fields: dict[str, Any], changes: dict[str, Any], code: str
) -> None:
    define(machine, **fields)
    with pytest.raises(LisaError) as refused:
        start(machine, idempotent_key="k", **changes)
    assert refused.value.code == code
    state = Path(env.read_settings(machine.env).state_dir)
    assert not [path for path in state.rglob("*") if {"sessions", "keys", "pending"} & set(path.parts)]


def test_spawn_takes_settings_and_prompt_of_a_definition(machine: LisaHost) -> None:
    define(machine, one_shot=None, environment={"A": "1", "B": "1"}, ttl_seconds=600, colour="red")
    words = ("session", "spawn", "--definition", "a", "--env", "B=2", "--session", "lisa-a")
    answer = machine.lisa(*words, "--json")
    assert answer.json["agent"] == "scripted" and "unknown field: colour" in answer.err
    record = json.loads((Path(machine.context().ref("lisa-a").folder) / "record.json").read_text())
    assert (record["definition"], record["prompt"]) == ("a", RECORD["prompt"])
    assert record["settings"]["ttl_seconds"] == 600 and set(record["settings"]["environment"]) == {"A", "B"}
    assert "one_shot" not in record["settings"]
    refused = machine.lisa("session", "spawn", "--definition", "nope", "--json")
    assert refused.json["errorCode"] == "definition_not_found"
    dry = machine.lisa("session", "spawn", "--definition", "a", "--agent", "codex", "--dry-run", "--json").json
    assert dry["agent"] == "codex"
