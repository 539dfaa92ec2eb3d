"""Find what is in place of an agent's input box: a dialog, a mode, or a program that reads its terminal."""

from __future__ import annotations

from lisa_py import agents
from lisa_py.core.status.evidence import Evidence, SessionProbe
from lisa_py.host import processes


def find_input_block(probe: SessionProbe) -> None:
    """Set `composer` and `input_block` of the evidence by its screen and processes."""
    evidence = probe.evidence
    box = probe.agent.find_composer(evidence.screen) if evidence.screen and not evidence.custom else None
    if box is None:
        return
    evidence.composer = box.kind
    program = find_foreground_program(evidence)
    if program:
        evidence.input_block = f"{program} has the agent's terminal"
    elif box.kind == "mode":
        evidence.input_block = f"the screen shows {box.text}"
    elif box.kind == "none":
        report = probe.agent.read_screen(evidence.screen)
        if report is not None and report.state == "waiting":
            evidence.composer, evidence.input_block = "dialog", report.detail or "a dialog is open"


def find_foreground_program(evidence: Evidence) -> str:
    """Return the name of the newest descendant of the agent whose input is the agent's terminal; else empty.

    Tools of claude and codex read a pipe, /dev/null, or a terminal of their own (claude 2.1.332, codex 0.171). A child
    with the arguments of its parent is a fork before its exec, which has the parent's files for a moment.
    """
    agent = evidence.agent_process
    terminal = processes.terminal_input(agent.pid) if agent is not None else ""
    if agent is None or not terminal:
        return ""
    own_names = agents.get_or_default(evidence.agent).binaries  # codex is started by a wrapper of its own
    below, program = {agent.pid: agent.argv}, ""
    for item in evidence.workload:  # parents precede their children
        if item.ppid in below:
            is_fork = bool(item.argv) and item.argv == below[item.ppid]
            below[item.pid] = item.argv
            has_terminal = item.alive and not is_fork and item.name not in own_names
            if has_terminal and processes.terminal_input(item.pid) == terminal:
                program = item.name
    return program
