"""lisa demo: a complete fleet in one command, removed at its end."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import psutil

from lisa_py.terminal import layout
from tests.docs import record_demo
from tests.docs.recording import join_spans, read_frames
from tests.lisa_host import LisaHost
from tests.polling import wait_until


def find_leftovers(machine: LisaHost) -> list[str]:
    """Files of the demo, and processes that carry this machine's HOME."""
    names = [name for name in os.listdir(machine.env["TMPDIR"]) if name.startswith("lisa-demo-")]
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(machine.home) and process.status() != psutil.STATUS_ZOMBIE:
                names.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return names


def leave_out_values(line: str) -> str:
    """Return a line with a place in place of each number and folder."""
    return " ".join(re.sub(r"\S*/lisa-demo-\S*|\d+(\.\d+)?", "*", line).split())


def test_demo_runs_a_fleet_and_removes_it(machine: LisaHost) -> None:
    answer = machine.lisa("demo", "--json")
    got = answer.json
    assert (answer.code, got["ok"], got["agent"]) == (0, True, "scripted"), got
    by_role = {reported["role"]: reported for reported in got["sessions"]}
    assert by_role["builder"]["said"] == "The parser is written and its tests say: 12 passed."
    assert {"thinking", "tool", "idle"} <= set(by_role["builder"]["states"])
    assert "permission" in by_role["cleaner"]["states"]
    assert (by_role["unlucky"]["errorKind"], by_role["one-shot"]["sessionState"]) == ("rate_limit", "completed")
    assert [one["choice"] for one in got["answered"]] == ["Yes"]
    assert (got["handedTo"], got["handDelivered"], got["killed"]) == ("reviewer", True, 5)
    assert got["seconds"] < 30
    assert got["leftBehind"] == []
    assert find_leftovers(machine) == []
    assert not Path(machine.env["LISA_STATE_DIR"]).exists()


def test_piped_each_change_is_a_plain_line(machine: LisaHost) -> None:
    answer = machine.lisa("demo")
    assert answer.code == 0
    assert "\x1b" not in answer.out
    assert re.search(r"^ +\d+\.\ds  cleaner +asks: permission - rm -r build", answer.out, re.MULTILINE)
    assert "Sent the result of builder to reviewer: delivered" in answer.out
    assert "Next: lisa doctor" in answer.out


def test_on_a_terminal_a_table_is_redrawn_in_place(machine: LisaHost) -> None:
    code, text = machine.show("demo", columns=record_demo.PICTURE.columns)
    assert code == 0
    assert "SESSION" in text and "SOURCE" in text
    assert re.search(r"\x1b\[\d+A\r", text)
    last = text[text.rindex("SESSION") :]
    assert last.count("killed") == 5 and "waiting_input" not in last
    drawn = {leave_out_values(line) for line in re.split(r"[\r\n]+", layout.ANSI.sub("", text))}
    shown = [leave_out_values(join_spans(line)) for line in read_frames("demo.svg")[-1]]
    assert len(shown) > 15 and not [line for line in shown if line not in drawn]


def test_ctrl_c_cleans_up(machine: LisaHost) -> None:
    running = machine.start("demo", "--json")
    folder = Path(machine.env["TMPDIR"])
    wait_until(lambda: list(folder.glob("lisa-demo-*/state/projects/*/sessions/lisa-demo-builder/start")))
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    assert (running.returncode, json.loads(out)["errorCode"]) == (130, "interrupted")
    wait_until(lambda: find_leftovers(machine) == [], what=str(find_leftovers(machine)))


def test_works_with_a_long_temporary_path(machine: LisaHost) -> None:
    deep = machine.folder / ("long " * 24)
    deep.mkdir()
    answer = machine.lisa("demo", "--json", env={"TMPDIR": str(deep)})
    assert (answer.code, answer.json["leftBehind"]) == (0, [])
    assert list(deep.iterdir()) == []
    assert list(Path(machine.env["LISA_SHARED_DIR"]).iterdir()) == []


def test_refuses_a_missing_agent_without_trace(machine: LisaHost) -> None:
    tools = f"{machine.bin}:/usr/bin:/bin"
    answer = machine.lisa("demo", "--agent", "codex", "--json", env={"PATH": tools})
    assert (answer.code, answer.json["errorCode"]) == (1, "agent_not_installed")
    assert machine.lisa("demo", "--agent", "absent", "--json").json["errorCode"] == "invalid_agent"
    assert find_leftovers(machine) == []


def test_without_tmux_no_summary_is_shown(machine: LisaHost) -> None:
    answer = machine.lisa("demo", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.err) == (1, "tmux is not on PATH; install tmux 3.2 or newer\n")
    assert len(answer.out.splitlines()) == 1 and "A fleet of 5 scripted agents in" in answer.out
    assert find_leftovers(machine) == []
