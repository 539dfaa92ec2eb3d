"""session smoke: nested sessions, proven; and ./smoke-nested, its short form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.lifecycle.environment import launcher_script
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

TOP = Path(__file__).parents[3]


def smoke(machine: LisaHost, *words: str, **more: Any) -> CallResult:
    return machine.lisa("session", "smoke", *words, timeout=90, **more)


def sessions(machine: LisaHost) -> list[str]:
    context = machine.context()
    return sorted(pane.session for pane in context.tmux(context.project()).list_panes())


def test_three_levels_pass_and_leave_no_session(machine: LisaHost) -> None:
    answer = smoke(machine, "--levels", "3", "--json")
    got = answer.json
    assert (answer.code, got["ok"]) == (0, True), got
    assert (got["monitor"]["finalState"], got["levels"], len(got["sessions"])) == ("completed", 3, 3)
    assert (got["chaos"], got["promptStyle"], got["llmProfile"], got["contractProfile"]) == ("none",) * 4
    assert "cleanupErrors" not in got and "missingMarkers" not in got
    assert sessions(machine) == []
    assert chain(got["tree"]["roots"]) == got["sessions"]
    work = Path(got["workDir"])
    captured = (work / "capture-l1.txt").read_text()
    assert all(marker in captured for marker in got["markers"])
    assert {path.name for path in work.iterdir()} >= {
        *(f"l{level}.sh" for level in (1, 2, 3)), *(f"capture-l{level}.txt" for level in (1, 2, 3)),
        *(f"events-l{level}.jsonl" for level in (1, 2, 3)), "lisa", "monitor-l1.json", "report.json",
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o077 == 0 for path in [work, *work.iterdir()])


def chain(nodes: list[dict[str, Any]]) -> list[str]:
    return [nodes[0]["session"], *chain(nodes[0].get("children", []))] if nodes else []


def test_text_reports_pass_and_folders(machine: LisaHost) -> None:
    answer = smoke(machine, "--levels", "1", "--export-artifacts", "out")
    lines = answer.out.splitlines()
    assert (answer.code, lines[0]) == (0, "PASS: nested smoke 1-level")
    assert lines[1].startswith("L1=lisa-smoke-l1-")
    assert lines[2].startswith("Artifacts: ")
    exported = Path(lines[3].removeprefix("Exported: "))
    assert exported.parent == machine.project / "out"
    assert (exported / "capture-l1.txt").exists() and (exported / "report.json").exists()


def test_kept_sessions_stay(machine: LisaHost) -> None:
    got = smoke(machine, "--levels", "2", "--keep-sessions", "--json").json
    assert sessions(machine) == sorted(got["sessions"])


@pytest.mark.parametrize(
    ("chaos", "levels", "code"),
    [
        ("drop-marker", 2, "smoke_marker_assertion_failed"),
        ("fail-child", 2, "smoke_monitor_failed"),
        ("fail-child", 1, "smoke_monitor_failed"),
    ],
)
def test_expected_chaos_failure_passes(machine: LisaHost, chaos: str, levels: int, code: str) -> None:
    words = ("--levels", str(levels), "--chaos", chaos, "--report-min", "--json")
    failed = smoke(machine, *words)
    assert (failed.code, failed.json["errorCode"], failed.json["ok"]) == (1, code, False)
    expected = smoke(machine, *words, "--chaos-report", "--export-artifacts", "out")
    got = expected.json
    assert (expected.code, got["ok"], got["errorCode"], got["error"]) == (0, True, "", "")
    assert got["chaosResult"]["observedErrorCode"] == code
    assert Path(got["exportedPath"]).is_dir()
    assert sessions(machine) == []


def test_a_missing_marker_is_named(machine: LisaHost) -> None:
    got = smoke(machine, "--levels", "2", "--chaos", "drop-marker", "--report-min", "--json").json
    assert got["missingMarkers"] == ["LISA_SMOKE_L2_DONE=1"]
    assert (got["finalState"], got["exitReason"]) == ("completed", "completed")


def test_prompts_are_probed_first(machine: LisaHost) -> None:
    rows = machine.project / "rows.txt"
    rows.write_text("bypass|Use ./lisa for this.\nfull-auto|Use ./lisa for this.\nany|never reached\n")
    got = smoke(machine, "--matrix-file", "rows.txt", "--prompt-style", "neutral", "--json").json
    assert got["errorCode"] == "smoke_prompt_matrix_assertion_failed"
    assert "expected full-auto got bypass" in got["error"]
    assert [row["pass"] for row in got["promptMatrix"]] == [True, False]
    assert (got["promptProbe"]["expectedBypass"], got["promptProbe"]["detection"]["autoBypass"]) == (False, False)
    assert "monitor" not in got
    small = smoke(machine, "--matrix-file", "rows.txt", "--report-min", "--json").json
    assert small["failedMatrix"] == [
        {"actualMode": "bypass", "expectedMode": "full-auto", "prompt": "Use ./lisa for this."}
    ]


@pytest.mark.parametrize("profile", ["claude", "codex", "mixed"])
def test_profile_supplies_missing_values(machine: LisaHost, profile: str) -> None:
    got = smoke(machine, "--levels", "1", "--llm-profile", profile, "--json").json
    assert got["ok"] is True, got
    assert got["promptProbe"]["style"] == ("neutral" if profile == "claude" else "nested")
    assert all(row["pass"] for row in got["promptMatrix"])
    assert ("model" in got) is (profile != "claude")


def test_contract_profile_checks_command_answers(machine: LisaHost) -> None:
    got = smoke(machine, "--levels", "1", "--contract-profile", "full", "--json").json
    assert got["ok"] is True, [check for check in got["contractChecks"] if not check["ok"]]
    names = [check["name"] for check in got["contractChecks"]]
    assert {"status_json_min", "packet_json_min", "schema_packet", "turn_missing_session"} <= set(names)


def test_ctrl_c_removes_the_sessions(machine: LisaHost) -> None:
    running = machine.start("session", "smoke", "--levels", "2", "--chaos", "delay", "--json")
    wait_until(lambda: len(sessions(machine)) == 2)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    assert (running.returncode, json.loads(out)["errorCode"]) == (130, "interrupted")
    assert sessions(machine) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--levels", "0"), "invalid_levels"),
        (("--levels", "5"), "invalid_levels_max"),
        (("--chaos", "fire"), "invalid_chaos_mode"),
        (("--prompt-style", "loud"), "invalid_prompt_style"),
        (("--contract-profile", "half"), "invalid_contract_profile"),
        (("--llm-profile", "nobody"), "invalid_llm_profile"),
        (("--poll-interval", "0"), "invalid_poll_interval"),
        (("--max-polls", "-1"), "invalid_max_polls"),
        (("--model", "a\tb"), "invalid_model"),
        (("--project-root", "/does/not/exist"), "invalid_project_root"),
        (("--matrix-file", "none.txt"), "smoke_prompt_matrix_assertion_failed"),
    ],
)
def test_invalid_arguments_have_a_code(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = smoke(machine, *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_reports_missing_bash(machine: LisaHost) -> None:
    for name in ("tmux", "sh"):
        os.symlink(f"/usr/bin/{name}", machine.bin / name)
    answer = smoke(machine, "--json", env={"PATH": str(machine.bin)})
    assert answer.json["errorCode"] == "missing_bash"


# -- ./smoke-nested -----------------------------------------------------------------------------------------------


def nested(machine: LisaHost, *words: str) -> subprocess.CompletedProcess[str]:
    """The script beside a launcher that needs no installation."""
    script = machine.folder / "smoke-nested"
    script.write_text((TOP / "smoke-nested").read_text())
    launcher = machine.folder / "lisa"
    launcher.write_text(launcher_script())
    for path in (script, launcher):
        path.chmod(0o700)
    return subprocess.run([script, *words], env=machine.env, capture_output=True, text=True, check=False, timeout=90)


def test_the_script_runs_three_levels(machine: LisaHost) -> None:
    ended = nested(machine, "--project-root", str(machine.project), "--max-polls=60")
    lines = ended.stdout.splitlines()
    assert (ended.returncode, lines[0]) == (0, "PASS: 3-level nested interactive Lisa smoke"), ended
    assert [line[:3] for line in lines[1:4]] == ["L1=", "L2=", "L3="]
    assert lines[4].startswith("Artifacts: ")


@pytest.mark.parametrize("words", [("--bogus",), ("--max-polls",), ("--project-root", "")])
def test_script_refuses_unknown_arguments(machine: LisaHost, words: tuple[str, ...]) -> None:
    ended = nested(machine, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("smoke-nested: ")


def test_script_has_a_help_text(machine: LisaHost) -> None:
    ended = nested(machine, "--help")
    assert ended.returncode == 0 and "--keep-sessions" in ended.stdout
