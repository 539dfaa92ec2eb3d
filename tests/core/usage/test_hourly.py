"""core/usage/hourly and store/usage_log: the usage of sessions per hour and identity."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from lisa_py.contract.records import SessionMeta
from lisa_py.core.usage import hourly
from lisa_py.core.usage.usage_reader import UsageReader
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import live_records, session_records, usage_log, usage_state
from lisa_py.store.usage_state import TokenTally
from tests.core.usage.test_usage_reader import START, open_reader, write_calls
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

FIRST_HOUR, NEXT_HOUR = format_rfc3339(START)[:13], format_rfc3339(START + 3600)[:13]
CALL_COST = (10 * 4 + 1000 * 0.2 + 1 * 20) / 1e6


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    harness = SessionHarness(machine)
    files.ensure_private_dir(harness.ref.folder)
    meta = SessionMeta(
        session=harness.name,
        run_id="7",
        agent="claude",
        created_unix=START,
        oauth_token_id="oauth-1",
        lane="web",
        project_root=harness.ref.project.root,
    )
    session_records.write_meta(harness.ref, meta)
    record = live_records.make_record(harness.ref, meta)
    live_records.write_record(harness.ref, msgspec.structs.replace(record, definition="my triage/1"))
    return harness


def count(stage: SessionHarness, path: Path) -> UsageReader:
    reader = open_reader(stage)
    reader.count([str(path)])
    return reader


def test_usage_is_logged_once_by_hour_and_identity(stage: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1), ("b", 3600, 10, 1))
    hourly.log_usage(stage.ctx, stage.ref, count(stage, path).own_cost())
    hourly.log_usage(stage.ctx, stage.ref, count(stage, path).own_cost())
    write_calls(path, ("c", 3700, 10, 1))
    hourly.log_usage(stage.ctx, stage.ref, count(stage, path).own_cost())
    project = stage.ref.project
    names = hourly.list_identities(stage.ctx, project)
    assert names == tuple(sorted(["my-triage-1", "oauth-1", hourly.project_identity(project)]))
    for name in ("", *names):
        points = hourly.read_hours(stage.ctx, project, identity=name)
        assert [(point.hour[:13], point.output_tokens) for point in points] == [(FIRST_HOUR, 1), (NEXT_HOUR, 2)]
        assert [point.cost_usd for point in points] == [pytest.approx(CALL_COST), pytest.approx(2 * CALL_COST)]
    assert hourly.read_hours(stage.ctx, project, identity="other") == ()
    assert points[0] == msgspec.convert(
        {
            "hour": f"{FIRST_HOUR}:00:00Z",
            "input_tokens": 10,
            "output_tokens": 1,
            "cache_read_tokens": 1000,
            "cost_usd": CALL_COST,
            "estimated": True,
            "model": "claude-opus-5-5",
            "provider": "anthropic",
        },
        type(points[0]),
    )


def test_a_line_written_twice_counts_once(stage: SessionHarness, tmp_path: Path) -> None:
    """The process was killed between the line and the note that it is written."""
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1))
    reader = count(stage, path)
    before = usage_state.read_state(stage.ref, "7")
    hourly.log_usage(stage.ctx, stage.ref, reader.own_cost())
    usage_state.write_state(stage.ref, before)
    hourly.log_usage(stage.ctx, stage.ref, reader.own_cost())
    (row,) = usage_log.read_rows(stage.ref.project)
    assert (row.name, row.lane) == (stage.name, "web")


def test_own_dollars_are_shared_and_not_estimated(stage: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1), ("b", 3600, 10, 1))
    count(stage, path)
    hourly.log_usage(stage.ctx, stage.ref, 1.0)
    write_calls(path, ("c", 3700, 10, 1))
    count(stage, path)
    hourly.log_usage(stage.ctx, stage.ref, 1.25)
    points = hourly.read_hours(stage.ctx, stage.ref.project)
    assert [point.cost_usd for point in points] == [pytest.approx(0.5), pytest.approx(0.75)]
    assert not any(point.estimated for point in points)


def test_own_dollars_of_free_models_are_shared_by_tokens() -> None:
    tallies = [TokenTally(input_tokens=10), TokenTally(output_tokens=30)]
    assert hourly._share_cost(tallies, 1.5, 0.5) == [0.25, 0.75]


def test_hours_that_ended_are_logged_while_a_session_runs(stage: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1))
    hourly.log_ended_hours(stage.ctx, stage.ref, count(stage, path))
    assert [row.hour for row in usage_log.read_rows(stage.ref.project)] == [FIRST_HOUR]


def test_old_months_are_pruned_and_broken_lines_skipped(stage: SessionHarness) -> None:
    folder = Path(stage.ref.project.folder, usage_log.FOLDER)
    folder.mkdir(parents=True)
    good = json.dumps({"hour": FIRST_HOUR, "session": "x", "batch": 0})
    (folder / "2020-01.jsonl").write_text(good + "\n")
    month = folder / f"{FIRST_HOUR[:7]}.jsonl"
    month.write_text(good + "\n{broken\n" + good.replace("0}", "1}") + "\n{unfinished")
    assert [row.batch for row in usage_log.read_rows(stage.ref.project)] == [0, 1]
    assert usage_log.RECORD.prune is not None
    assert usage_log.RECORD.prune(stage.ref.project.folder, stage.ctx.settings, START + 86_400) == 1
    assert [entry.name for entry in folder.iterdir()] == [month.name]


def test_a_full_disk_delays_the_log(stage: SessionHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1))
    reader = count(stage, path)

    def fail(name: str, *rest: object) -> None:
        raise files.unwritable_error(name, OSError(28, "No space left on device"))

    with monkeypatch.context() as broken:
        broken.setattr(files, "append", fail)
        hourly.log_usage(stage.ctx, stage.ref, reader.own_cost())
    assert list(usage_log.read_rows(stage.ref.project)) == []
    hourly.log_usage(stage.ctx, stage.ref, reader.own_cost())
    assert len(list(usage_log.read_rows(stage.ref.project))) == 1
