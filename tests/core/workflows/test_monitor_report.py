"""The answer of a monitor asks tmux for nothing that the last read has shown."""

from __future__ import annotations

import pytest

from lisa_py.core.output import pane_text
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.workflows.monitor_report import ReportOptions, monitor_and_report
from lisa_py.host.run import ProgramResult
from lisa_py.host.tmux import Tmux
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def test_answer_does_not_look_for_the_pane_again(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    asked: list[str] = []
    read = Tmux.read

    def record(self: Tmux, *words: str) -> ProgramResult:
        asked.append(words[0])
        return read(self, *words)

    monkeypatch.setattr(Tmux, "read", record)
    result = monitor_and_report(stage.ctx, stage.ref, StopRules(), ReportOptions())
    monkeypatch.undo()
    assert result.exit_reason == "waiting_input"
    assert asked.count("list-panes") == result.polls == 1
    assert asked[-1] == "capture-pane"
    whole = pane_text.read(stage.ctx, stage.ref)
    assert whole is not None and result.next_offset == whole.size
