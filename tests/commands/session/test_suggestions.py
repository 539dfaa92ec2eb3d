"""Suggested next steps of every command while a dialog is open."""

from __future__ import annotations

import shlex

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

CHOICES = [
    {"number": 1, "text": "Yes"},
    {"number": 2, "text": "Yes, and do not ask again"},
    {"number": 3, "text": "No"},
]


def asking(machine: LisaHost) -> SessionHarness:
    stage = SessionHarness(machine).spawn("[ask touch made] go", ready=False)
    stage.wait_for_text("do not ask again")
    monitored = stage.lisa("monitor", "--json")
    assert monitored.json["waitingFor"] == "permission"
    return stage


def test_no_prompt_is_suggested_while_a_dialog_is_open(machine: LisaHost) -> None:
    stage = asking(machine)
    named = {
        "handoff": stage.lisa("handoff").json["nextAction"],
        "packet": stage.lisa("packet").json["nextAction"],
        "context-pack": stage.lisa("context-pack").json["nextAction"],
        "anomaly": stage.lisa("anomaly").json["nextAction"],
        "next": stage.lisa("next").json["nextAction"],
        "wait": machine.lisa("session", "wait", "--any", "--json").json["sessions"][0]["nextAction"],
        "list": machine.lisa("session", "list", "--priority", "--json").json["items"][0]["nextAction"],
        "route": machine.lisa("session", "route", "--queue", "--json").json["queue"][0]["nextAction"],
    }
    assert set(named.values()) == {"session dialogs"}, named


def test_handoff_names_the_question_and_its_choices(machine: LisaHost) -> None:
    stage = asking(machine)
    made = stage.lisa("handoff", "--schema", "v4").json
    asked = "touch made; choices 1. Yes, 2. Yes, and do not ask again, 3. No"
    (risk,) = [risk for risk in made["risks"] if risk["code"] == "agent_asks"]
    assert risk["message"].startswith("agent asks: ") and risk["message"].endswith(asked)
    (question,) = [question for question in made["openQuestions"] if question["code"] == "agent_question"]
    assert question["question"].endswith(asked)
    assert "session approve or deny" in made["nextAction"]["reason"]
    program, *words = shlex.split(made["nextAction"]["command"])
    shown = machine.lisa(*words)
    assert (program, shown.code) == ("lisa", 0)
    (dialog,) = shown.json["dialogs"]
    _, *words = shlex.split(dialog["answerCommand"])
    assert words[:2] == ["session", "approve"] and machine.lisa(*words).code == 0


def test_status_has_the_question_and_its_choices(machine: LisaHost) -> None:
    stage = asking(machine)
    small = stage.lisa("status", "--json-min").json
    assert small["choices"] == CHOICES
    assert "touch made" in small["question"] and "Yes" not in small["question"]
    shown = stage.lisa("snapshot", "--json-min").json
    assert (shown["choices"], shown["question"]) == (CHOICES, small["question"])
    assert "───" not in shown["capture"] and "touch made" in shown["capture"]
    stage.lisa("send", "--answer", "yes")
    stage.wait_for_state("idle")
    assert {"question", "choices"}.isdisjoint(stage.lisa("status").json)


def test_agent_with_a_dialog_is_listed_above_an_idle_one(machine: LisaHost) -> None:
    SessionHarness(machine, "lisa-a-idle").spawn()
    asking(machine)
    items = machine.lisa("session", "list", "--priority", "--json").json["items"]
    assert [(item["session"], item["priorityLabel"]) for item in items] == [
        ("lisa-stage-1", "needs_answer"),
        ("lisa-a-idle", "needs_input"),
    ]
