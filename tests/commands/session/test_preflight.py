"""session preflight."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lisa_py.core.workflows import self_checks
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

PATH = ("session", "preflight")
FAST = [
    "monitor_expect_marker_guard",
    "capture_delta_offset_parse",
    "nested_prompt_auto_bypass",
    "nested_prompt_quote_guard",
    "nested_intent_nested_bypass",
]
VERSION = '#!/bin/sh\n[ "$1" = --version ] && { echo "codex-cli 0.169.0"; exit; }\n[ "$2" = --help ] && exit\n'
CLAUDE = '#!/bin/sh\n[ "$1" = --version ] && { echo "2.1.329 (Claude Code)"; exit; }\n[ "$1" = --help ] && exit\n'
PRINT_MARKER = "echo LISA_PREFLIGHT_MODEL_OK\n"


def check(machine: LisaHost, *words: str, env: dict[str, str] | None = None) -> CallResult:
    return machine.lisa(*PATH, "--fast", *words, "--json", env=env)


def found(answer: CallResult, name: str) -> dict[str, Any]:
    return next(each for each in answer.json["machine"] if each["name"] == name)


@pytest.fixture
def codex(machine: LisaHost) -> LisaHost:
    """A machine with a codex that answers."""
    machine.add_program("codex", VERSION + PRINT_MARKER)
    return machine


def test_a_machine_with_tmux_and_an_agent_is_ready(codex: LisaHost) -> None:
    answer = codex.lisa(*PATH, "--json")
    assert (answer.code, answer.json["ok"], answer.json["fast"]) == (0, True, False), answer
    assert [each["name"] for each in answer.json["contracts"]] == list(self_checks.names())
    assert len(self_checks.names()) == 12
    assert answer.json["environment"]["ok"] is True and "modelCheck" not in answer.json
    assert {"session", "socket_path", "state_dir", "shared_dir", "locks", "stores", "versions"} <= {
        each["name"] for each in answer.json["machine"]
    }


def test_login_shell_without_lisa_is_a_warning(codex: LisaHost) -> None:
    (codex.home / ".bash_profile").write_text("PATH=/usr/bin:/bin\n")
    answer = check(codex)
    warning = found(answer, "login_shell")
    assert (warning["ok"], warning["advisory"]) == (False, True) and "does not find lisa" in warning["detail"]
    assert (answer.code, answer.json["ok"]) == (0, True)
    text = codex.lisa(*PATH, "--fast").out
    assert "\n- warning login_shell (" in text and "missing: " not in text
    assert codex.lisa(*PATH, "--fast", "--json-min").json["failed"] == []


def test_fast_checks_only_core_contracts(codex: LisaHost) -> None:
    answer = check(codex)
    assert [each["name"] for each in answer.json["contracts"]] == FAST and answer.json["fast"] is True
    assert all(each["ok"] for each in answer.json["contracts"])


def test_nothing_is_left_behind(codex: LisaHost) -> None:
    before = {path for path in codex.folder.rglob("*") if "/state/agent-facts" not in str(path)}
    assert check(codex, "--model", "m").code == 0
    left = {path for path in codex.folder.rglob("*") if "/state/agent-facts" not in str(path)} - before
    assert left <= {codex.folder / "state"}


def test_without_an_agent_it_is_not_ready(machine: LisaHost) -> None:
    (machine.bin / "tmux").symlink_to(shutil.which("tmux") or "/nowhere")
    machine.env["PATH"] = str(machine.bin)
    answer = check(machine)
    assert (answer.code, answer.json["errorCode"]) == (1, "session_preflight_failed")
    assert answer.json["environment"]["ok"] is False


def test_failed_tmux_session_is_a_finding(codex: LisaHost) -> None:
    """B23: it is really tried."""
    codex.add_program("tmux", "#!/bin/sh\n[ $1 = -V ] && echo 'tmux 3.4' && exit\nexit 1\n")
    answer = check(codex)
    assert found(answer, "session")["ok"] is False
    assert (answer.code, answer.json["environment"]["ok"]) == (1, True)


@pytest.mark.parametrize(
    ("variable", "finding"),
    [("LISA_STATE_DIR", "state_dir"), ("LISA_SHARED_DIR", "shared_dir"), ("LISA_TMUX_SOCKET_DIR", "session")],
)
def test_unusable_folder_is_a_finding(codex: LisaHost, variable: str, finding: str) -> None:
    answer = check(codex, env={variable: "/dev/null/nowhere"})
    assert found(answer, finding)["ok"] is False and answer.code == 1


def test_unreadable_record_is_a_finding(codex: LisaHost) -> None:
    """B23, and it is left as it is: looking leaves no trace."""
    assert codex.lisa("session", "lane", "--name", "x", "--goal", "analysis").code == 0
    store = next((codex.folder / "state").rglob("lanes.json"), None) or next(codex.folder.rglob("*lanes.json"))
    store.write_text("{broken")
    answer = check(codex)
    assert found(answer, "stores")["ok"] is False and "lane" in found(answer, "stores")["detail"]
    assert answer.code == 1 and store.read_text() == "{broken"


def test_agent_without_version_is_reported(machine: LisaHost) -> None:
    machine.add_program("codex", "#!/bin/sh\nexit 3\n")
    answer = machine.lisa(*PATH, "--json")
    assert found(answer, "versions")["ok"] is False and "codex" in found(answer, "versions")["detail"]


def test_broken_contract_fails_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lisa_py.core.output.since.parse", lambda text: self_checks.since.DeltaStart(text, offset=0))
    broken = {check.name for check in self_checks.run_self_checks(fast=False) if not check.ok}
    assert broken == {name for name in self_checks.names() if name.startswith("capture_delta")}


def test_model_with_expected_reply_is_verified(codex: LisaHost) -> None:
    answer = check(codex, "--model", "codex-spark")
    model = answer.json["modelCheck"]
    assert (answer.code, model["ok"], model["verified"]) == (0, True, True)
    assert (model["agent"], model["model"]) == ("codex", "gpt-5.3-codex-spark")


def test_reply_without_the_expected_word_is_not_verified(machine: LisaHost) -> None:
    """B23: every exit 0 counted, and the echo of the question too."""
    machine.add_program("codex", VERSION + 'for last; do :; done; echo "user: $last"\n')
    model = check(machine, "--model", "m").json["modelCheck"]
    assert (model["ok"], model["verified"]) == (True, False)


def test_model_probe_runs_in_an_empty_folder_read_only(machine: LisaHost) -> None:
    """B23: it ran in the caller's folder, and could write there."""
    seen = machine.folder / "seen"
    machine.add_program("codex", VERSION + f'{{ pwd; ls -A; echo "$@"; env; }} >{seen}\n' + PRINT_MARKER)
    assert check(machine, "--model", "m", env={"CLAUDECODE": "1", "CODEX_THREAD_ID": "x"}).code == 0
    folder, arguments, *environ = seen.read_text().splitlines()
    assert folder.startswith(machine.env["TMPDIR"]) and not Path(folder).exists()
    assert "read-only" in arguments and "--full-auto" not in arguments and "dangerously" not in arguments
    assert not [line for line in environ if line.startswith(("CLAUDECODE=", "CODEX_THREAD_ID="))]


def test_probes_claude(machine: LisaHost) -> None:
    """B23."""
    machine.add_program("claude", CLAUDE + PRINT_MARKER)
    model = check(machine, "--agent", "claude", "--model", "sonnet").json["modelCheck"]
    assert (model["agent"], model["ok"], model["verified"]) == ("claude", True, True)


def test_ends_a_hanging_model_probe_with_its_children(machine: LisaHost) -> None:
    """B23: a child that held the pipe kept the command for seconds."""
    pids = machine.folder / "pids"
    machine.add_program("codex", VERSION + f'[ "$1" = exec ] || exit\nsleep 300 & echo $$ $! >{pids}; wait\n')
    began = time.monotonic()
    answer = check(machine, "--model", "m", env={"LISA_MODEL_PROBE_TIMEOUT_SECONDS": "1"})
    model = answer.json["modelCheck"]
    assert (model["ok"], model["errorCode"]) == (False, "preflight_model_probe_failed")
    assert model["seconds"] < 20 and time.monotonic() - began < 30
    wait_until(lambda: not any(map(psutil.pid_exists, map(int, pids.read_text().split()))))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("error: The model is not supported here", "preflight_model_not_supported"),
        ("Model metadata for m not found", "preflight_model_metadata_missing"),
        ("There's an issue with the selected model (m). It may not exist", "preflight_model_not_supported"),
        ("Invalid API key - Please run /login", "preflight_model_auth_failed"),
        ("unexpected status 401 Unauthorized", "preflight_model_auth_failed"),
        ("stream disconnected before completion", "preflight_model_probe_failed"),
    ],
)
def test_causes_of_failed_probes_are_distinguished(machine: LisaHost, said: str, code: str) -> None:
    machine.add_program("codex", VERSION + f'echo "{said}" >&2; exit 1\n')
    answer = check(machine, "--model", "m")
    model = answer.json["modelCheck"]
    assert (answer.code, model["errorCode"]) == (1, code)
    assert said in model["detail"] and "exit status 1" in model["detail"]


def test_long_error_output_is_truncated(machine: LisaHost) -> None:
    machine.add_program("codex", VERSION + f"echo error {'x' * 500} >&2; exit 1\n")
    detail = check(machine, "--model", "m").json["modelCheck"]["detail"]
    assert len(detail) == 260 and detail.endswith("...")


def test_the_first_candidate_that_answers_is_selected(machine: LisaHost) -> None:
    machine.add_program("codex", VERSION + 'case "$*" in *good*) echo LISA_PREFLIGHT_MODEL_OK;; *) exit 1;; esac\n')
    answer = check(machine, "--auto-model", "--auto-model-candidates", "bad,good, bad,better").json
    assert answer["autoModel"]["candidates"] == ["bad", "good", "better"]
    assert [attempt["model"] for attempt in answer["autoModel"]["attempts"]] == ["bad", "good"]
    assert (answer["autoModel"]["selected"], answer["modelCheck"]["model"]) == ("good", "good")
    answer = check(machine, "--auto-model").json
    assert answer["autoModel"]["candidates"] == ["gpt-5.3-codex", "gpt-5-codex"]
    assert "selected" not in answer["autoModel"] and answer["errorCode"] == "session_preflight_failed"


def test_skips_an_invalid_candidate(codex: LisaHost) -> None:
    attempts = check(codex, "--auto-model", "--auto-model-candidates", "a\tb,good").json["autoModel"]["attempts"]
    assert [attempt.get("errorCode") for attempt in attempts] == ["invalid_model", None]


def test_no_network_makes_no_call(machine: LisaHost) -> None:
    machine.add_program("codex", VERSION + f"touch {machine.folder}/asked\n")
    model = check(machine, "--model", "m", "--no-network").json["modelCheck"]
    assert (model["ok"], model["verified"]) == (True, False)
    assert not (machine.folder / "asked").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--model", "m", "--auto-model"), "model_auto_model_conflict"),
        (("--agent", "nobody"), "invalid_agent"),
        (("--model", "a\nb"), "invalid_model"),
    ],
)
def test_invalid_model_request_is_refused(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    assert check(machine, *words).json["errorCode"] == code


def test_reports_an_agent_that_cannot_be_probed(machine: LisaHost) -> None:
    answer = check(machine, "--agent", "scripted", "--model", "m")
    assert answer.json["modelCheck"]["errorCode"] == "preflight_model_agent_unsupported"
    assert answer.code == 1


def test_text_has_a_section_for_each_kind_of_check(codex: LisaHost) -> None:
    out = codex.lisa(*PATH, "--fast", "--model", "m").out
    assert out.startswith("session preflight: ready\nproject_root: ") and "\n- ok session (" in out
    assert "\nmodel_check: ok agent=codex model=m detail=" in out
