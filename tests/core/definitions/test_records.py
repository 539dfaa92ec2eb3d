"""Definitions in every shape in which records are written."""

from __future__ import annotations

import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.definitions import records, yaml_documents
from lisa_py.core.definitions.records import Definition

BARE = """\
prompt: |
  # Triage
  Look at case {{ .event.case_number }}.
  ```sh
  echo "<oid>"
  ```
name: "Bot Case {{ .event.case_number }}"
model: opus
max_turns: 50
max_budget_usd: 2
ttl_seconds: 1800
one_shot: true
permission_mode: bypassPermissions
anthropic_secret: hive://secret/anthropic-key
lc_api_key_secret: hive://secret/triage
lc_uid_secret: hive://secret/uid
debounce_key: case-{{ .event.case_number }}
allowed_tools: [Read, "Bash(git log:*)"]
environment:
  PORT: 8080
  DEBUG: on
  SINCE: 2026-01-01
  VERSION: 1.10
data:
  oid: routing.oid
  event: "@this"
"""
METADATA = "enabled: true\nexpiry: 0\ntags: [ai-agent:triage]\ncomment: triage of cases\n"
SETTINGS = SessionSettings(
    name="Bot Case {{ .event.case_number }}",
    model="opus",
    max_turns=50,
    max_budget_usd=2.0,
    ttl_seconds=1800,
    one_shot=True,
    permission_mode="bypassPermissions",
    allowed_tools=("Read", "Bash(git log:*)"),
    environment={"PORT": "8080", "DEBUG": "on", "SINCE": "2026-01-01", "VERSION": "1.10"},
    credentials={"anthropic_key": "hive://secret/anthropic-key"},
)


def read(text: str, path: str = "/x/triage.yaml") -> list[Definition]:
    return [each for document in yaml_documents.read_documents(path, text) for each in records.read_records(document)]


def wrap(*keys: str, text: str = BARE) -> str:
    for key in reversed(keys):
        text = f"{key}:\n{textwrap.indent(text, '  ')}"
    return text


ENVELOPE = wrap("data") + wrap("usr_mtd", text=METADATA)
SHAPES = {
    "fields": BARE,
    "envelope": ENVELOPE,
    "map": wrap("ai_agent", "triage"),
    "map of envelopes": wrap("ai_agent", "triage", text=ENVELOPE),
    "hives": "version: 3\n" + wrap("hives", "ai_agent", "triage", text=ENVELOPE),
    "second document": "---\n# nothing\n---\n" + BARE,
    "json": '{"prompt": "p", "data": {"oid": "routing.oid"}}',
}


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "json"])
def test_every_form_gives_the_same_definition(shape: str) -> None:
    (found,) = read(SHAPES[shape])
    assert found.name == "triage" and found.settings == SETTINGS
    assert found.own.prompt.startswith("# Triage\nLook at") and found.own.prompt.endswith("```\n")
    assert found.own.debounce_key == "case-{{ .event.case_number }}"
    assert found.own.data == {"oid": "routing.oid", "event": "@this"}
    assert found.warnings == ()
    if "usr_mtd" in SHAPES[shape]:
        assert (found.enabled, found.tags, found.comment) == (True, ("ai-agent:triage",), "triage of cases")


def test_json_is_read_as_a_definition() -> None:
    (found,) = read(SHAPES["json"])
    assert (found.own.prompt, found.own.data) == ("p", {"oid": "routing.oid"})
    (record,) = read('{"data": "{\\"prompt\\": \\"q\\"}", "usr_mtd": {"enabled": false}}')
    assert record.own.prompt == "q" and record.warnings == ("the record is not enabled (usr_mtd.enabled)",)


def test_a_file_has_several_records_and_other_hives() -> None:
    text = "hives:\n  secret:\n    k: {data: {secret: x}}\n"
    text += "  ai_agent:\n    a/b: {prompt: one}\n    c: {data: {prompt: two}}\n"
    assert [(each.name, each.own.prompt, each.line) for each in read(text)] == [("a/b", "one", 5), ("c", "two", 6)]


def test_unknown_fields_are_kept_and_reported() -> None:
    (found,) = read("prompt: p\ncolour: red\nextra: {1: [a, 2026-01-01]}\nmodel: ~\n")
    assert found.unknown == {"colour": "red", "extra": {"1": ["a", "2026-01-01"]}}
    assert found.warnings == ("unknown field: colour", "unknown field: extra")
    assert found.settings.model is UNSET


@pytest.mark.parametrize(
    ("fields", "credentials"),
    [
        ("anthropic_secret: k\nbedrock: {region: r}", {"anthropic_key": "k"}),
        ("credentials: {auth: azure, api_key: k}\nanthropic_secret: x", {"auth": "azure", "api_key": "k"}),
        ("credentials: {}\nanthropic_secret: x", {"anthropic_key": "x"}),
        (
            "bedrock: {region: r, access_key_id_secret: a, secret_access_key_secret: secret://s}",
            {"auth": "bedrock", "region": "r", "access_key_id": "a", "secret_access_key": "secret://s"},
        ),
        (
            "vertex: {project_id: p, region: r, service_account_json_secret: 'file:x'}",
            {"auth": "vertex", "project_id": "p", "region": "r", "service_account_json": "file:x"},
        ),
    ],
)
def test_the_first_kind_of_credentials_counts(fields: str, credentials: dict[str, str]) -> None:
    (found,) = read(f"prompt: p\n{fields}\n")
    assert found.settings.credentials == credentials
    assert found.settings.provider == ("anthropic" if credentials.get("auth") in ("bedrock", "vertex") else UNSET)


REFUSED = [
    ("prompt: p\nmax_turns: many\n", "invalid_definition", 2, 12),
    ("prompt: p\nmax_turns: 0\n", "invalid_max_turns", 2, 12),
    ("prompt: p\nmax_budget_usd: -1\n", "invalid_max_budget_usd", 2, 17),
    ("prompt: p\npermission_mode: default\n", "invalid_permission_mode", 2, 18),
    ("prompt: p\nallowed_tools:\n- Read\n- Bash(x)\n", "invalid_tool_pattern", 3, 1),
    ("prompt: p\nenvironment: {A-B: x}\n", "invalid_env", 2, 14),
    ("prompt: p\nenvironment: {A: [x]}\n", "invalid_definition", 2, 14),
    ("prompt: [a]\n", "invalid_definition", 1, 9),
    ("prompt: p\nprompt: q\n", "invalid_definition", 2, 1),
    ("prompt: 'open\n", "invalid_definition", 2, 1),
    ("a: b: c\n", "invalid_definition", 1, 5),
    ("\tprompt: p\n", "invalid_definition", 1, 1),
    ("prompt: p\n  model: x\n", "invalid_definition", 2, 8),
    ("prompt: \x01\n", "invalid_definition", 1, 9),
    ("prompt: !!python/object:os.system x\n", "invalid_definition", 1, 9),
    ('prompt: "\\ud800"\n', "invalid_definition", 1, 12),
    ("- a\n- b\n", "invalid_definition", 1, 1),
    ("just text\n", "invalid_definition", 1, 1),
    ("colour: red\n", "invalid_definition", 1, 1),
    ("ai_agent:\n  a: text\n", "invalid_definition", 2, 6),
    ("ai_agent: [a]\n", "invalid_definition", 1, 11),
    ("hives: []\n", "invalid_definition", 1, 8),
    ("data: [a]\nusr_mtd: {}\n", "invalid_definition", 1, 7),
    ("data: '{'\n", "invalid_definition", 1, 7),
    ("data: {prompt: p}\nusr_mtd: {enabled: maybe}\n", "invalid_definition", 2, 10),
    ("prompt: &a [*a]\n", "invalid_definition", 1, 9),
    ("prompt: *nothing\n", "invalid_definition", 1, 9),
    ("? [a]\n: b\n", "invalid_definition", 1, 3),
    ("prompt: p\nbedrock: {region: 5}\n", "invalid_definition", 2, 10),
    ("prompt: p\nanthropic_secret: [k]\n", "invalid_definition", 2, 19),
    ("prompt: p\nx: " + "[" * 70 + "]" * 70, "invalid_definition", 2, 67),
]


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED)
def test_an_error_names_file_line_and_column(text: str, code: str, line: int, column: int) -> None:
    with pytest.raises(LisaError) as refused:
        read(text)
    details = refused.value.details
    assert (refused.value.code, details["line"], details["column"]) == (code, line, column), refused.value.message
    assert details["file"] == "/x/triage.yaml"
    assert refused.value.message.startswith(f"/x/triage.yaml:{line}:{column}: ")


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(LisaError) as refused:
        read("\n".join(["prompt: p", *lines]))
    assert refused.value.code == "invalid_definition"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda part: st.lists(part, max_size=3)
    | st.dictionaries(st.text(max_size=8), part, max_size=3), max_leaves=8,
)  # fmt: skip
_FIELDS = st.dictionaries(st.sampled_from(sorted(records.KNOWN_FIELDS)) | st.text(max_size=6), _VALUES, max_size=6)


@given(_FIELDS)
def test_any_record_is_read_or_refused(fields: dict[str, object]) -> None:
    for value in (
        fields,
        {"data": fields},
        {"ai_agent": {"a": fields}},
        {"hives": {"ai_agent": {"a": {"data": fields}}}},
    ):
        try:
            found = read(yaml.safe_dump(value, allow_unicode=True))
        except LisaError as problem:
            assert problem.code in ("invalid_definition", *records.session_settings.SETTINGS_ERRORS)
            assert problem.details["line"] >= 1
        else:
            assert all(each.name for each in found)


@given(st.text(max_size=60) | st.text(alphabet="-:[]{}&*!|>'\"#%@,? \n\tab0", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except LisaError as problem:
        assert problem.code == "invalid_definition"


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1), st.integers(1), st.booleans())
def test_written_values_are_read_back(prompt: str, turns: int, one_shot: bool) -> None:
    record = {"prompt": prompt, "max_turns": turns, "one_shot": one_shot, "environment": {"A": prompt}}
    (found,) = read(yaml.safe_dump({"ai_agent": {prompt: {"data": record}}}))
    assert (found.name, found.own.prompt, found.settings.max_turns) == (prompt, prompt, turns)
    assert found.settings.one_shot is one_shot and found.settings.environment == {"A": prompt}
