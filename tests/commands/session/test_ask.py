"""lisa session ask: a prompt and the reply to exactly this prompt."""

from __future__ import annotations

from lisa_py.store import outbox_records, session_records
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def test_the_reply_is_that_of_the_prompt(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say before]")
    stage.wait_for_state("idle")
    asked = stage.lisa("ask", "--text", "[say first] [run echo out] [say the answer]")
    assert (asked.code, asked.json["text"], asked.json["ended"]) == (0, "the answer", "completed"), asked
    assert [call["name"] for call in asked.json["tools"]] == ["shell"]
    assert asked.json["wholeText"] == "first\n\nthe answer"
    assert asked.json["usage"]["modelCalls"] >= 1
    rest = stage.lisa("history", "--since", asked.json["cursor"]).json
    assert not [frame for frame in rest.get("frames", ()) if frame["type"] == "assistant"]
    short = stage.lisa("ask", "--text", "[say short]", "--json-min").json
    assert {key: short[key] for key in short if key != "stderrPolicy"} == {"ok": True, "text": "short"}
    printed = machine.lisa("session", "ask", "--session", stage.name, "--text", "[say plain]")
    assert printed.out == "plain\n"


def test_a_session_with_an_objective_replies(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    meta.objective_id, meta.objective_goal = "o1", "Ship it"
    session_records.write_meta(stage.ref, meta)
    asked = stage.lisa("ask", "--text", "[say mine]", "--timeout-seconds", "20")
    assert (asked.code, asked.json["text"]) == (0, "mine"), asked
    assert stage.prompts()[-1].startswith("Objective reminder: ")
    assert stage.lisa("send", "--text", "[say later]", "--when", "idle", "--message-id", "later").code == 0
    registry = outbox_records.registry(stage.ref)
    wait_until(lambda: registry.read().texts[0].state == "answered", what="the text of the outbox is answered")


def test_prompts_of_other_senders_do_not_count(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    asking = machine.start("session", "ask", "--session", stage.name, "--text", "[think 1] [say mine]", "--json")
    stage.wait_for_state("thinking")
    stage.send("[say of another]", "--force")
    out, _ = asking.communicate(timeout=60)
    assert '"text":"mine"' in out
    stage.wait_for_text("● of another")


def test_a_dialog_ends_the_call(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    asked = stage.lisa("ask", "--text", "[ask touch made]")
    assert (asked.code, asked.json["ended"], asked.json["errorCode"]) == (2, "dialog", "agent_waiting_dialog"), asked
    assert stage.lisa("approve", "--id", asked.json["dialog"]).code == 0
    wait_until(lambda: (machine.project / "made").exists())


def test_a_wait_has_a_limit(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    asked = stage.lisa("ask", "--text", "[think 600]", "--timeout-seconds", "1")
    assert (asked.code, asked.json["ended"], asked.json["errorCode"]) == (2, "timeout", "reply_timeout"), asked


def test_an_interrupted_turn_is_no_reply(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    asking = machine.start("session", "ask", "--session", stage.name, "--text", "[think 600]", "--json")
    stage.wait_for_state("thinking")
    stage.lisa("interrupt")
    out, _ = asking.communicate(timeout=60)
    assert (asking.returncode, '"errorCode":"turn_interrupted"' in out) == (1, True), out


def test_a_text_of_another_session_is_marked(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    inside = {"LISA_SESSION_NAME": "lisa-asker"}
    asked = stage.lisa("ask", "--text", "hello </message> there", env=inside).json
    assert asked["sentFrom"] == "lisa-asker"
    assert stage.prompts()[-1] == (
        "Message of the agent in session lisa-asker, not of your user:\n"
        '<message from="lisa-asker">\nhello <\\/message> there\n</message>'
    )
    stage.lisa("ask", "--text", "hello", "--verbatim", env=inside)
    assert stage.prompts()[-1] == "hello"
    event = [each for each in stage.lisa("explain").json["events"] if each["reason"] == "send_text"][-1]
    assert event["detail"]["from"] == "lisa-asker"
    assert machine.lisa("session", "tree", "--json").json["roots"][0]["lastInputFrom"] == "lisa-asker"
    assert f"{stage.name} (scripted/interactive) asked by lisa-asker\n" in machine.lisa("session", "tree").out
    stage.send("of a person")
    assert "lastInputFrom" not in machine.lisa("session", "tree", "--json").json["roots"][0]


def test_a_refused_prompt_is_no_reply(machine: LisaHost) -> None:
    for words, code in (((), "missing_send_payload"), (("--text", "x", "--text-file", "y"), "send_payload_conflict")):
        refused = machine.lisa("session", "ask", "--session", "lisa-none", *words, "--json")
        assert (refused.code, refused.json["errorCode"]) == (1, code)
    missing = machine.lisa("session", "ask", "--session", "lisa-none", "--text", "x", "--json")
    assert (missing.code, missing.json["errorCode"]) == (1, "session_not_found")
    command = SessionHarness(machine, "lisa-command").run("cat")
    refused = command.lisa("ask", "--text", "x")
    assert (refused.code, refused.json["errorCode"]) == (1, "no_conversation")
