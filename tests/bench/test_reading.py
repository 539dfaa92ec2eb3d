"""Reading long panes and long transcripts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from lisa_py.store import session_records
from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.fleet import Fleet
from tests.lisa_host import PROGRAM, CallResult, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
ROUNDS = 9
LINES = 50_000
RATIO_ROUNDS = 41
"""Enough for a ratio of 1.15 on a busy machine, where the median of 9 rounds varies by 20 %."""


def check_same_cost(title: str, took: dict[str, list[float]], report: BenchmarkReport) -> None:
    """Report the times of a short and a long pane; the long one may cost 15 % more."""
    rows = [(name, format_median_milliseconds(times)) for name, times in took.items()]
    report.add_table(title, ("", "median ms"), rows, f"{RATIO_ROUNDS} rounds.")
    short, long = (median(times) for times in took.values())
    assert long < 1.15 * short


def test_long_pane_is_read_whole(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    for name, count in (("lisa-short", 500), ("lisa-long", LINES)):
        fleet.spawn(name, f"seq -f 'line %.0f of the output of a program that says a lot' {count}", mode="exec")
        fleet.wait_until_ended(name)
    cursor = str(machine.folder / "cursor")

    def capture(name: str, *words: str) -> str:
        return machine.lisa("session", "capture", "--session", name, "--raw", *words).out

    assert f"line {LINES} of" in capture("lisa-long", "--lines", str(LINES))
    assert capture("lisa-long", "--lines", str(LINES + 10)).count(" of the output ") == LINES
    capture("lisa-long", "--cursor-file", cursor, "--json")
    assert 190 < capture("lisa-long").count(" of the output ") <= 200
    calls = {
        "500 lines, all": lambda: capture("lisa-short", "--lines", "500"),
        f"{LINES} lines, all": lambda: capture("lisa-long", "--lines", str(LINES)),
        f"{LINES} lines, last 200": lambda: capture("lisa-long"),
        f"{LINES} lines, last 200, JSON with offset": lambda: capture("lisa-long", "--json"),
        f"{LINES} lines, delta by cursor file": lambda: capture("lisa-long", "--cursor-file", cursor, "--json"),
    }
    took = measure_wall_times(calls, ROUNDS)
    base = median(took["500 lines, all"])
    rows = [(name, format_median_milliseconds(times), f"{median(times) / base:.1f}") for name, times in took.items()]
    report.add_table("`capture --raw` of a long pane", ("", "median ms", "x 500 lines"), rows, f"{ROUNDS} rounds.")
    assert median(took[f"{LINES} lines, last 200"]) < 1.3 * base
    assert median(took[f"{LINES} lines, last 200, JSON with offset"]) < 1.3 * base

    def handoff(name: str) -> CallResult:
        return machine.lisa("session", "handoff", "--session", name, "--json")

    handoff("lisa-long")  # counts the pane once
    took = measure_wall_times(
        {"500 lines": lambda: handoff("lisa-short"), f"{LINES} lines": lambda: handoff("lisa-long")}, RATIO_ROUNDS
    )
    check_same_cost("`handoff` of a long pane", took, report)


def test_transcript_capture_costs_the_same_for_a_long_pane(machine: LisaHost, report: BenchmarkReport) -> None:
    calls = {}
    for count in (500, LINES):
        stage = SessionHarness(machine, f"lisa-talk-{count}").spawn("[say done] go")
        stage.wait_for_state("idle")
        tmux = stage.ctx.server(stage.ref)
        tty = tmux.call("display-message", "-p", "-t", f"={stage.name}:", "#{pane_tty}").text.strip()
        with open(tty, "w") as out:
            out.writelines(f"line {number} of a long pane\r\n" for number in range(count))
        wait_until(lambda tmux=tmux, stage=stage, count=count: tmux.find_pane(stage.name).history >= count - 100)
        calls[f"{count} lines"] = lambda stage=stage: stage.lisa("capture", "--transcript", "--json")
    check_same_cost("`capture --transcript` of a long pane", measure_wall_times(calls, RATIO_ROUNDS), report)


def grow(path: Path, size: int) -> None:
    """Insert an earlier conversation in front of a transcript."""
    own = path.read_bytes()
    turn = "".join(
        json.dumps({"type": kind, "text": text, "at": 1.0, "turn": "t"}) + "\n"
        for kind, text in (("turn_start", ""), ("user", "x" * 500), ("assistant", "y" * 20_000), ("turn_end", ""))
    ).encode()
    with path.open("wb") as out:
        for _ in range(max(0, size - len(own)) // len(turn)):
            out.write(turn)
        out.write(own)


def test_poll_cost_does_not_depend_on_the_transcript(machine: LisaHost, report: BenchmarkReport) -> None:
    took: dict[str, list[float]] = {}
    calls = {}
    for name, size in (("1 MB", 1 << 20), ("100 MB", 100 << 20)):
        stage = SessionHarness(machine, f"lisa-talk-{name.split()[0]}").spawn("[say done] go", mode="exec")
        stage.wait_until_ended()
        meta = session_records.read_meta(stage.ref)
        assert meta is not None
        path = stage.home / "transcripts" / f"{meta.agent_session_id}.jsonl"
        grow(path, size)
        cursor = str(machine.folder / f"cursor-{size}")
        stage.lisa("capture", "--transcript", "--cursor-file", cursor)

        def poll(stage: SessionHarness = stage, path: Path = path, cursor: str = cursor) -> None:
            with path.open("a") as out:
                out.write(json.dumps({"type": "assistant", "text": "more", "at": time.time()}) + "\n")
            answer = stage.lisa("capture", "--transcript", "--cursor-file", cursor).json
            assert [message["text"] for message in answer["messages"]] == ["more"]

        calls[f"poll with a cursor, {name}"] = poll
        calls[f"summary of the end, {name}"] = lambda stage=stage: stage.lisa("capture", "--summary")
        calls[f"last 50 lines, {name}"] = lambda stage=stage: stage.lisa("capture", "--lines", "50")
        calls[f"status, {name}"] = lambda stage=stage: stage.lisa("status")
    took = measure_wall_times(calls, ROUNDS)
    rows = [(name, format_median_milliseconds(times)) for name, times in took.items()]
    report.add_table("Transcripts of 1 and of 100 MB", ("", "median ms"), rows, f"{ROUNDS} rounds.")
    for what in ("poll with a cursor", "summary of the end", "last 50 lines", "status"):
        assert median(took[f"{what}, 100 MB"]) < 2 * median(took[f"{what}, 1 MB"])


def test_capture_of_all_is_bounded(machine: LisaHost, report: BenchmarkReport) -> None:
    names = {}
    for label, size in (("10 MB", 10 << 20), ("100 MB", 100 << 20)):
        stage = SessionHarness(machine, f"lisa-talk-{label.split()[0]}").spawn("[say done] go", mode="exec")
        stage.wait_until_ended()
        meta = session_records.read_meta(stage.ref)
        assert meta is not None
        grow(stage.home / "transcripts" / f"{meta.agent_session_id}.jsonl", size)
        names[f"capture of {label}"] = stage.name
    peaks = {label: [measure_peak(machine, name) for _ in range(3)] for label, name in names.items()}
    took = measure_wall_times(
        {
            label: lambda name=name: machine.lisa("session", "capture", "--session", name, "--json")
            for label, name in names.items()
        },
        ROUNDS,
    )
    rows = [(label, format_median_milliseconds(took[label]), f"{median(peaks[label]):.0f}") for label in names]
    report.add_table("Default `capture` of a long transcript", ("", "median ms", "peak MB"), rows, f"{ROUNDS} rounds.")
    short, long = (median(times) for times in took.values())
    small, large = (median(figures) for figures in peaks.values())
    assert long < 1.3 * short and large < 1.3 * small


MEASURE_PEAK = """
import os, sys
null = os.open(os.devnull, os.O_WRONLY)
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small parent: until its `exec` a child has the memory of its parent, and Linux counts that."""


def measure_peak(machine: LisaHost, name: str) -> float:
    """Return the largest resident size of a capture, in MB."""
    argv = [sys.executable, "-IS", "-c", MEASURE_PEAK, *PROGRAM, "session", "capture", "--session", name, "--json"]
    ended = subprocess.run(argv, env=machine.env, cwd=machine.project, stdout=subprocess.PIPE, check=True, text=True)
    return int(ended.stdout) / 1024


def test_handoff_with_a_long_event_log(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    for name in ("lisa-short", "lisa-long"):
        fleet.spawn(name)
    log = fleet.folder("lisa-long") / "events.jsonl"
    line = json.loads(log.read_text().split("\n")[0])
    block = "".join(json.dumps(line | {"seq": number, "note": "x" * 900}) + "\n" for number in range(2, 1000))
    with log.open("a") as file:
        for _ in range(200):
            file.write(block)
    calls = {
        label: lambda name=name: machine.lisa("session", "handoff", "--session", name, "--json")
        for label, name in (("a few events", "lisa-short"), ("200 MB of events", "lisa-long"))
    }
    check_same_cost("`handoff` beside a long event log", measure_wall_times(calls, RATIO_ROUNDS), report)
