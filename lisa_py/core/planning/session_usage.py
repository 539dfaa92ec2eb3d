"""Actual usage of a session as a source of a budget."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lisa_py.contract.usage_flags import UsageArgs
from lisa_py.core.context import Context
from lisa_py.core.inputs import Inputs
from lisa_py.core.planning import budget, usage_reports
from lisa_py.core.planning.budget import UsageReport, UsageSummary
from lisa_py.core.planning.usage_metrics import UsageReading
from lisa_py.core.usage.usage_reader import read_usage
from lisa_py.host.clock import parse_time
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef


def observe_usage(
    ctx: Context, args: UsageArgs, paths: Iterable[str], jsonl_paths: Iterable[str]
) -> tuple[UsageSummary, list[UsageReport]]:
    """Return the usage of all sources together, and the reports. Raise as usage_reports.load_reports."""
    reports = usage_reports.load_reports(Inputs(ctx), paths, jsonl_paths)
    reports += build_reports(ctx, args.session, args.project_root)
    given = {"tokens": args.tokens, "seconds": args.seconds, "steps": args.steps}
    return budget.combine_reports(given, reports, args.combine), reports


def build_reports(ctx: Context, names: Iterable[str], root: str) -> list[UsageReport]:
    """Return the usage of each session so far, of a killed one from its archive; steps are ended turns.

    Raise LisaError(session_not_found), and TmuxUnavailable if tmux cannot be queried.
    """
    refs = [ctx.record_ref(name, root) for name in names]
    return [
        UsageReport(f"session:{ref.session}", _read_archive(ref) if ref.archive else _read_session(ctx, ref))
        for ref in refs
    ]


def _read_session(ctx: Context, ref: SessionRef) -> UsageReading:
    used = read_usage(ctx, ref)
    steps = None if used.tokens is None else used.turns
    return UsageReading(tokens=used.tokens, seconds=used.seconds, steps=steps)


def _read_archive(ref: SessionRef) -> UsageReading:
    record = live_records.read_readable(ref)
    if record is None:
        return UsageReading()
    start, end, used = parse_time(record.created_at), parse_time(record.ended_at), record.usage
    seconds = math.ceil(end - start) if start is not None and end is not None else None
    if used is None or not used.last_activity_at:
        return UsageReading(seconds=seconds)
    return UsageReading(tokens=used.input_tokens + used.output_tokens, seconds=seconds, steps=used.ended_turns)
