"""session terminal: tmux itself shows the session."""

from __future__ import annotations

from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def size_of(stage: SessionHarness) -> tuple[int, int]:
    pane = stage.ctx.server(stage.ref).find_pane(stage.name)
    assert pane is not None
    return pane.width, pane.height


def test_without_a_terminal_it_refuses(machine: LisaHost) -> None:
    stage = SessionHarness(machine)
    assert stage.lisa("terminal").json["errorCode"] == "session_not_found"
    stage.spawn()
    answer = stage.lisa("terminal")
    assert (answer.code, answer.json["errorCode"]) == (1, "no_terminal")


def test_keys_reach_the_agent_and_the_size_returns(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    terminal = OuterTerminal(machine, "session", "terminal", "--session", stage.name, columns=90, rows=20)
    terminal.wait_for("ready")
    assert size_of(stage) == (90, 20)
    terminal.type("[say typed]")
    terminal.press("Enter")
    terminal.wait_for("● typed")
    terminal.press("C-b", "d")
    assert terminal.wait_for_end() == 0
    wait_until(lambda: size_of(stage) == (220, 60), what="the size of before")
    stage.wait_for_state("idle")


def test_read_only_accepts_no_keys_and_keeps_the_size(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    terminal = OuterTerminal(machine, "session", "terminal", stage.name, "--read-only", columns=90, rows=70)
    terminal.wait_for("ready")
    terminal.type("[say typed]")
    terminal.press("Enter")
    stage.send("[say sent]")
    stage.wait_for_text("● sent")
    assert stage.prompts() == ["[say sent]"] and size_of(stage) == (220, 60)
    terminal.press("C-b", "d")
    assert terminal.wait_for_end() == 0
