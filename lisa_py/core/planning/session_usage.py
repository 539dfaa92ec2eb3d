"""Actual usage of a session as a source of a budget."""

from __future__ import annotations

from lisa_py.core.context import Context
from lisa_py.core.planning.budget import UsageReport
from lisa_py.core.planning.usage_metrics import UsageReading
from lisa_py.core.usage.usage_reader import read_usage
from lisa_py.store.paths import SessionRef


def build_report(ctx: Context, ref: SessionRef) -> UsageReport:
    """Return the usage so far; steps are ended turns. Raise TmuxUnavailable if tmux cannot be queried."""
    used = read_usage(ctx, ref)
    steps = None if used.tokens is None else used.turns
    return UsageReport(f"session:{ref.session}", UsageReading(tokens=used.tokens, seconds=used.seconds, steps=steps))
