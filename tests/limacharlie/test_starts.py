"""start-session by the real client: its records, references and overrides arrive in the session."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lisa_py.store import live_records, masked_values
from tests.limacharlie.conftest import Comparison
from tests.session_harness import SessionHarness

KEY, SECRET, OVERRIDE = "sk-ant-api03-planted-key", "planted-value-of-a-secret", "planted-key-of-the-call"
AGENT = {
    "prompt": "[say from the record]",
    "name": "Triage",
    "anthropic_secret": "hive://secret/api-key",
    "model": "opus",
    "max_turns": 5,
    "permission_mode": "plan",
    "allowed_tools": ["Read"],
    "environment": {"KEEP": "kept", "GONE": "old", "TOKEN": "hive://secret/token"},
    "one_shot": True,
}
OVERRIDES = (
    "--prompt", "[run printenv GONE] [say overridden]", "--name", "Job", "--model", "claude-sonnet-4-6",
    "--max-turns", "7",
    "--task-budget-tokens", "90000", "--ttl-seconds", "900", "--no-one-shot",
    "--permission-mode", "acceptEdits", "--allowed-tools", "Read, Grep", "--denied-tools", "Bash(rm:*)",
    "--plugin", "p", "--env", "GONE=new", "--env", "TOKEN=hive://secret/token", "--idempotent-key", "once",
    "--data", '{"case": 5}', "--lc-api-key", "of-the-test", "--lc-uid", "uid",
    "--provider", "anthropic", "--credential", f"api_key={OVERRIDE}", "--credential", "base_url=http://127.0.0.1:1",
)  # fmt: skip


def store(compare: Comparison) -> None:
    """Store the secrets and the definition with the client."""
    for name, value in (("api-key", KEY), ("token", SECRET)):
        stored = compare.client("secret", "set", "--key", name, stdin=json.dumps({"secret": value}))
        assert stored.code == 0, stored
    made = compare.client(
        "hive", "set", "--hive-name", "ai_agent", "--key", "triage",
        stdin=json.dumps({"data": AGENT, "usr_mtd": {"enabled": True}}),
    )  # fmt: skip
    assert made.code == 0, made


def start(compare: Comparison, *flags: str) -> dict[str, object]:
    made = compare.client("ai", "start-session", "--definition", "triage", *flags, "--output", "json")
    assert made.code == 0, made
    started = json.loads(made.out)
    assert started["status"] in ("starting", "running")
    described: dict[str, object] = compare.server.call("GET", f"/v1/org/sessions/{started['session_id']}").body[
        "session"
    ]
    return described


def test_record_and_overrides_arrive_in_the_session(compare: Comparison) -> None:
    store(compare)
    plain = start(compare, "--max-budget-usd", "2.5", "--model", "claude-opus-4-6")
    for flags, key in ((), KEY), (("--anthropic-key", OVERRIDE), OVERRIDE):
        keyed = start(compare, "--no-one-shot", *flags)
        assert list_secrets(compare, keyed) == {key, SECRET, compare.server.key}  # the client sends its own key
    assert (plain["name"], plain["model"], plain["max_turns"]) == ("Triage", "claude-opus-4-6", 5)
    assert plain["max_budget_usd"] == 2.5
    assert (plain["permission_mode"], plain["allowed_tools"]) == ("plan", ["Read"])
    assert (plain["one_shot"], plain["initial_prompt"]) == (True, AGENT["prompt"])
    made = start(compare, *OVERRIDES)
    assert (made["name"], made["model"], made["max_turns"]) == ("Job", "claude-sonnet-4-6", 7)
    assert (made["task_budget_tokens"], made["ttl_seconds"], made["one_shot"]) == (90000, 900, False)
    assert (made["permission_mode"], made["allowed_tools"]) == ("acceptEdits", ["Read", "Grep"])
    assert (made["denied_tools"], made["plugins"], made["trigger_source"]) == (["Bash(rm:*)"], ["p"], "cli")
    assert str(made["initial_prompt"]).endswith("Event data:\n```yaml\ncase: 5\n```")
    again = compare.client("ai", "start-session", "--definition", "triage", *OVERRIDES)
    assert json.loads(again.out)["session_id"] == made["id"] and json.loads(again.out)["deduplicated"] is True
    assert made["provider"] == "anthropic" and list_secrets(compare, made) == {OVERRIDE, SECRET}
    stage = SessionHarness(compare.machine, str(made["lisa_session"]))
    stage.wait_for_text("● overridden")
    assert "new" in stage.screen() and "old" not in stage.screen()
    _check_secrets(compare, stage)


def list_secrets(compare: Comparison, made: dict[str, object]) -> set[str]:
    """Return the secrets that a session was given."""
    return set(masked_values.read(SessionHarness(compare.machine, str(made["lisa_session"])).ref))


def _check_secrets(compare: Comparison, stage: SessionHarness) -> None:
    """Search the planted values outside of the private files of the store and the session."""
    private = re.compile(r"/secrets$|/secrets/|/masked\.json$|/environment")
    for path in sorted(compare.machine.folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not private.search(str(path)):
            content = path.read_bytes()
            assert not any(value.encode() in content for value in (KEY, SECRET, OVERRIDE)), path
    for words in (("get", "--full-prompt"), ("history", "--raw"), ("attach", "--raw")):
        if words[0] != "attach":
            shown = compare.client("ai", "session", words[0], "--id", stage.name, *words[1:])
            assert KEY not in shown.out + shown.err and SECRET not in shown.out + shown.err
    assert live_records.read_readable(stage.ref) is not None
    log = Path(compare.server.error_file).read_text()
    assert KEY not in log and SECRET not in log and "overridden" not in log


def test_records_are_listed_shown_and_removed(compare: Comparison) -> None:
    store(compare)
    listed = json.loads(compare.client("secret", "list", "--output", "json").out)
    assert "api-key" in str(listed) and KEY not in str(listed)
    assert KEY in compare.client("secret", "get", "--key", "api-key").out
    assert "triage" in compare.client("hive", "list", "--hive-name", "ai_agent").out
    shown = json.loads(
        compare.client("hive", "get", "--hive-name", "ai_agent", "--key", "triage", "--output", "json").out
    )
    assert shown["data"] == AGENT
    for hive, name in (("secret", "token"), ("ai_agent", "triage")):
        assert compare.client("hive", "delete", "--hive-name", hive, "--key", name, "--confirm").code == 0
    refused = compare.client("ai", "start-session", "--definition", "triage")
    assert refused.code == 1 and "RECORD_NOT_FOUND" in refused.err
