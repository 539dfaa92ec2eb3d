"""Redaction by every command that offers --redact, in every output form and file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lisa_py import commands
from lisa_py.contract.command import read_fields
from lisa_py.store import events, session_memory
from lisa_py.store.lanes import Lane, registry
from tests.core.redact import secret_corpus as corpus
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

BOTH = LARGE, SMALL = ["--token-budget", "200000", "--lines", "5000"], ["--token-budget", "150", "--lines", "40"]
CALLS: dict[str, list[list[str]]] = {
    "aggregate": [["--sessions", "{name}", *size, "--delta-json", "--cursor-file", "{file}"] for size in BOTH],
    "capture": [
        ["--session", "{name}", "--lines", "5000"],
        ["--session", "{name}", "--raw", "--lines", "5000"],
        ["--session", "{name}", "--raw", "--cursor-file", "{file}", "--semantic-delta"],
        *[["--session", "{name}", "--summary", "--summary-style", style] for style in ("terse", "ops", "debug")],
    ],
    "checkpoint": [["save", "--session", "{name}", "--file", "{file}", *size] for size in BOTH],
    "context-pack": [
        ["--for", "{name}", "--strategy", strategy, *size] for strategy in ("balanced", "full") for size in BOTH
    ],
    "diff-pack": [["--session", "{name}", "--cursor-file", "{file}", *size] for size in BOTH],
    "handoff": [["--session", "{name}", "--schema", schema, "--events", "50"] for schema in ("v1", "v4")],
    "turn": [["--session", "{name}", "--keys", "Space", "--until-state", "in_progress", *size] for size in BOTH],
    "packet": [
        *[["--session", "{name}", "--summary-style", style, *LARGE] for style in ("terse", "ops", "debug")],
        ["--session", "{name}", "--cursor-file", "{file}", "--delta-json", *SMALL],
    ],
}
"""Arguments of each command: large enough to hold everything, small enough to be cut."""


def test_every_command_with_redaction_is_covered() -> None:
    offering = {
        path[1]
        for path in commands.paths()
        if (command := commands.load(path)) and any(field.name == "redact" for field in read_fields(command.args))
    }
    assert offering == CALLS.keys()


@contextmanager
def full_of_secrets(machine: LisaHost) -> Iterator[FakePane]:
    """Start a session whose pane, prompt, objective, lane, memory and events hold the corpus."""
    texts = [text for text, _ in corpus.SECRETS]
    ctx = machine.context()
    with registry(ctx.project()).change(ctx.settings, 0.0) as opened:
        opened.content.lanes["ok"] = Lane(name="ok", contract=texts[1], goal=texts[2])
    meta = {"prompt": texts[3], "objective_id": "o1", "objective_goal": "; ".join(texts[:20]), "lane": "ok"}
    with FakePane(machine, width=200, objective_acceptance=texts[5], **meta) as pane:
        with session_memory.registry(pane.ref).change(ctx.settings, ctx.clock.now()) as remembered:
            lines = tuple(line for text in texts for line in text.split("\n"))
            remembered.content = session_memory.SessionMemory(
                session=pane.name, updated_at="2026-01-01T00:00:00Z", lines=lines
            )
        for text in texts[:30]:
            events.add(pane.ref, ctx.settings, 0.0, type="lifecycle", state="in_progress", reason=text)
        pane.write("\n\n".join(texts) + "\n")
        yield pane


def leaked(text: str) -> list[str]:
    """Return the secrets of which eight consecutive characters are in the text."""
    there = pieces(text)
    return [secret for _, secret in corpus.SECRETS if not pieces(secret).isdisjoint(there)]


def pieces(text: str) -> set[str]:
    return {text[at : at + 8] for at in range(max(1, len(text) - 7))}


def test_corpus_is_redacted_in_every_form_and_file(machine: LisaHost) -> None:
    with full_of_secrets(machine):
        assert len(leaked(machine.lisa("session", "capture", "--session", "lisa-talk", "--lines", "5000").out)) > 200
        for name, calls in CALLS.items():
            for number, call in enumerate(calls):
                for form in (["--json"],) if LARGE[1] in call else ([], ["--json"], ["--json-min"]):
                    file = machine.project / f"{name}-{number}{''.join(form)}.cursor"
                    words = [word.format(name="lisa-talk", file=file) for word in call]
                    answer = machine.lisa("session", name, *words, "--redact", "all", *form)
                    assert answer.code == 0, (name, call, answer)
                    assert leaked(answer.out) == [], (name, call, form)
                    output = answer.out.replace(str(file), "")  # the caller's own word
                    assert "@example" not in output and str(machine.project) not in output
        written = [path for path in machine.project.iterdir() if path.is_file()]
        assert len(written) >= 8
        for path in written:
            assert leaked(path.read_text()) == [], path


def test_transcript_is_redacted(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    stage.send("[say hello]")
    stage.wait_for_state("idle")
    record = next(iter(stage.transcript("assistant")))
    with Path(stage.agent_state()["transcript"]).open("a") as file:
        for text, _ in corpus.SECRETS:
            file.write(json.dumps({**record, "text": text}) + "\n")
    assert len(leaked(stage.lisa("capture", "--json-min").out)) > 200
    for form in ("--json", "--json-min"):
        for name, *words in (
            ["capture"],
            ["packet", *LARGE],
            ["context-pack", *LARGE],
            ["turn", "--keys", "Space", *LARGE],
        ):
            answer = stage.lisa(name, *words, "--redact", "secrets,tokens", form)
            assert answer.code == 0 and leaked(answer.out) == [], (name, form, answer)
        assert "hello" in stage.lisa("context-pack", *LARGE, "--redact", "secrets", form).out


@pytest.mark.parametrize("name", ["handoff", "packet", "capture"])
def test_redactions_are_counted_and_unknown_rules_refused(machine: LisaHost, name: str) -> None:
    with FakePane(machine, objective_id="o1", objective_goal="mail a@b.org") as pane:
        pane.write("mail a@b.org\n")
        answer = machine.lisa("session", name, "--session", pane.name, "--redact", "emails", "--json").json
        assert answer["redactRules"] == ["emails"] and answer["redacted"] == {"emails": 1}
        answer = machine.lisa("session", name, "--session", pane.name, "--redact", "none", "--json").json
        assert answer["redactRules"] == ["none"] and "redacted" not in answer
        answer = machine.lisa("session", name, "--session", pane.name, "--redact", "some", "--json").json
        assert answer["errorCode"] == "invalid_redact_rules"


def test_secret_split_between_deltas_is_redacted(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        file = str(machine.project / "c")

        def delta() -> str:
            words = ["--session", pane.name, "--raw", "--cursor-file", file, "--redact", "secrets"]
            return machine.lisa("session", "capture", *words).out

        delta()
        pane.write("export API_KEY=a1b2c3")
        first = delta()
        pane.write("d4e5f6 and more\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n")
        second = delta()
        pane.write("AASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END PRIVATE KEY-----\nbye\n")
        third = delta()
        assert first.lstrip() == "export API_KEY=[REDACTED_SECRET]"
        assert second.startswith(" and more\n[REDACTED_SECRET]") and "MIIE" not in second
        assert "AASC" not in third and third.strip() == "bye"


def test_redacted_handoff_works_without_its_folder(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        given = machine.lisa("session", "handoff", "--session", pane.name, "--redact", "all", "--json")
        assert "projectRoot" not in given.json
        taken = machine.lisa("session", "context-pack", "--from-handoff", "-", "--json", stdin=given.out)
        assert taken.code == 0 and taken.json["session"] == pane.name
