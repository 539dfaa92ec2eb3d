"""Frames of a session: delay to the subscribers, cost of an attach, history of a long transcript, dialogs."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psutil
import pytest

from lisa_py.core.live.broadcast import FeedBroadcast, Subscription
from lisa_py.core.status.agent_reports import read_hooks
from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times, percentile
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
PER_SECOND = 20
SECONDS = 12
SUBSCRIBERS = 100
IDLE_SECONDS = 20.0
ROUNDS = 21
DIALOGS = 21
LONG_BYTES = 100 << 20


class Subscriber(threading.Thread):
    """Note the delay of each numbered frame."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(daemon=True)
        self._subscription = subscription
        self.numbers: list[int] = []
        self.delays: list[float] = []
        self.start()

    def run(self) -> None:
        for published in self._subscription:
            content = getattr(published.frame.payload, "content", "")
            if isinstance(content, str) and content.startswith("frame "):
                _, number, written = content.split()
                self.numbers.append(int(number))
                self.delays.append(time.time() - float(written))


def write_frames(path: Path, count: int) -> None:
    began = time.monotonic()
    for number in range(count):
        record = {"type": "assistant", "at": time.time(), "text": f"frame {number} {time.time()}"}
        with path.open("ab") as out:
            out.write(msgspec.json.encode(record) + b"\n")
        time.sleep(max(0.0, began + (number + 1) / PER_SECOND - time.monotonic()))  # the rate is what is measured


def measure_delays(stage: SessionHarness, path: Path, subscribers: int) -> list[float]:
    """Return the delays of all subscribers; each got each frame once and in order."""
    count = PER_SECOND * SECONDS
    with FeedBroadcast(stage.ctx, stage.ref) as feed:
        readers = [Subscriber(feed.subscribe(history=False)) for _ in range(subscribers)]
        write_frames(path, count)
        wait_until(lambda: all(len(reader.numbers) == count for reader in readers))
    assert all(reader.numbers == list(range(count)) for reader in readers)
    return [delay for reader in readers for delay in reader.delays]


def test_delay_from_record_to_subscriber(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    path = Path(stage.agent_state()["transcript"])
    took = {count: measure_delays(stage, path, count) for count in (1, SUBSCRIBERS)}
    rows = [
        (f"{count} subscribers", f"{median(times) * 1000:.1f}", f"{percentile(times, 0.95) * 1000:.1f}")
        for count, times in took.items()
    ]
    report.add_table(
        "From the transcript to the subscriber",
        ("", "p50 ms", "p95 ms"),
        rows,
        f"{PER_SECOND} frames a second for {SECONDS} s; each subscriber got each frame once and in order.",
    )
    assert percentile(took[SUBSCRIBERS], 0.95) < 4 * max(percentile(took[1], 0.95), 0.005)


def test_cost_of_an_attach(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")

    def attach() -> None:
        started = machine.start("session", "attach", "--session", stage.name, "--raw")
        assert started.stdout is not None and started.stdout.readline()
        started.kill()
        started.wait()

    calls = {
        "`capture --transcript`": lambda: stage.lisa("capture", "--transcript", "--json"),
        "`attach`, first frame": attach,
    }
    took = measure_wall_times(calls, ROUNDS)
    base, first = (median(times) for times in took.values())
    running = machine.start("session", "attach", "--session", stage.name, "--raw")
    process = psutil.Process(running.pid)
    time.sleep(12)  # not a wait for a condition: the quiet itself is measured
    before, began = sum(process.cpu_times()[:4]), time.monotonic()
    time.sleep(IDLE_SECONDS)
    share = (sum(process.cpu_times()[:4]) - before) / (time.monotonic() - began) * 100
    resident = process.memory_info().rss / 2**20
    running.terminate()
    running.communicate()
    rows: list[tuple[object, ...]] = [(name, format_median_milliseconds(times)) for name, times in took.items()]
    rows += [("idle, share of a core", f"{share:.2f} %"), ("idle, resident", f"{resident:.0f} MB")]
    report.add_table("`session attach`", ("", "median ms"), rows, f"{ROUNDS} rounds; idle over {IDLE_SECONDS:.0f} s.")
    assert first < 1.5 * base
    assert share < 0.5
    assert resident < 40


def test_history_of_a_long_transcript(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    path = Path(stage.agent_state()["transcript"])

    def first_frame(*words: str) -> tuple[float, float, dict[str, Any]]:
        """Return seconds to the first frame, largest resident MB over the whole call, and the frame."""
        began = time.perf_counter()
        started = machine.start("session", "history", "--session", stage.name, "--raw", *words)
        assert started.stdout is not None
        line = started.stdout.readline()
        took, process, most = time.perf_counter() - began, psutil.Process(started.pid), 0
        while started.stdout.read(1 << 20):
            most = max(most, process.memory_info().rss)
        started.wait()
        return took, most / 2**20, json.loads(line)

    short = [first_frame("--since", "start") for _ in range(5)]
    block = b"".join(
        msgspec.json.encode({"type": "assistant", "at": 1, "text": f"{number} " + "x" * 2000}) + b"\n"
        for number in range(500)
    )
    with path.open("ab") as out:
        while out.tell() < LONG_BYTES:
            out.write(block)
    newest = [first_frame() for _ in range(5)]
    whole = [first_frame("--since", "start") for _ in range(2)]
    rows = [
        (name, f"{median(took for took, _, _ in calls) * 1000:.0f}", f"{max(most for _, most, _ in calls):.0f}")
        for name, calls in (("short", short), ("newest 4 MiB of 100 MiB", newest), ("all of 100 MiB", whole))
    ]
    report.add_table("`session history --raw`", ("transcript", "first frame ms", "resident MB"), rows)
    base = median(took for took, _, _ in short)
    assert median(took for took, _, _ in newest) < 2 * base
    assert median(took for took, _, _ in whole) < 2 * base
    assert max(most for _, most, _ in whole) < 2 * max(most for _, most, _ in newest)


def test_delay_of_a_dialog(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn()
    seen: dict[str, float] = {}

    def note(subscription: Subscription) -> None:
        for published in subscription:
            payload: Any = published.frame.payload
            if published.frame.type == "tool_approval_request":
                seen[payload.tool_use_id] = time.time()

    shown, decided = [], []
    with FeedBroadcast(stage.ctx, stage.ref) as feed:
        threading.Thread(target=note, args=(feed.subscribe(history=False),), daemon=True).start()
        for number in range(DIALOGS):
            stage.send(f"[ask touch file-{number}]")
            wait_until(lambda number=number: len(seen) == number + 1)
            asked = [hook for hook in read_hooks(stage.ref) if hook["hook"] == "PermissionRequest"][-1]
            shown.append(max(0.0, list(seen.values())[-1] - float(str(asked["at"]))))
            stage.wait_for_state("waiting")
            began = time.time()
            stage.lisa("approve")
            decided.append(time.time() - began)
            stage.wait_for_state("idle")
    rows = [
        (name, f"{median(times) * 1000:.0f}", f"{percentile(times, 0.95) * 1000:.0f}")
        for name, times in (("dialog to subscriber", shown), ("`session approve`, until it is decided", decided))
    ]
    report.add_table("Dialogs", ("", "p50 ms", "p95 ms"), rows, f"{DIALOGS} permissions of the scripted agent.")
    call = median(measure_wall_times({"status": lambda: stage.lisa("status")}, ROUNDS)["status"])
    assert percentile(shown, 0.95) < 6 * call  # 0.3 s where a call takes 50 ms
