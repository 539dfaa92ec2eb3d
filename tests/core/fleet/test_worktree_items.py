"""Worktrees in a list: compared together, within a limit."""

from __future__ import annotations

import time

import pytest
from msgspec import UNSET

from lisa_py.core.fleet import list_items
from lisa_py.store import session_records
from tests.lisa_host import LisaHost
from tests.worktree_stage import WorktreeStage


def test_slow_git_is_reported_within_its_time_limit(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = WorktreeStage(machine)
    script = machine.folder / "slow" / "git"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o700)
    ctx = machine.context()
    ref = ctx.ref("lisa-x", str(machine.project))
    meta = session_records.read_meta(ref)
    assert meta is not None
    (item,) = list_items.compare_worktrees(ctx, [(ref, meta)])
    assert (item.branch, item.changed, item.reason) == ("lisa/lisa-x", 0, UNSET)
    machine.env["PATH"] = f"{script.parent}:{machine.env['PATH']}"
    monkeypatch.setattr(list_items, "WORKTREE_SECONDS", 0.2)
    ctx, started = machine.context(), time.monotonic()
    items = list_items.compare_worktrees(ctx, [(ref, meta)] * 20)
    assert time.monotonic() - started < 5
    assert {each.reason for each in items} == {f"git merge-base failed in {stage.tree.folder}: it did not end in time"}
