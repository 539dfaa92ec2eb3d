"""Read panes with one list per server, and the screens that the state depends on."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.status import agent_reports, input_block
from lisa_py.core.status.evidence import SessionProbe
from lisa_py.host import files
from lisa_py.host.pane import Pane
from lisa_py.host.tmux import Tmux


def assign_panes(server: Tmux, probes: Sequence[SessionProbe], known_panes: Sequence[Pane] | None) -> None:
    """Assign each session of one server its pane, or record that tmux does not answer or its server is gone."""
    try:
        found = _read_by_session(server, probes) if known_panes is None else _group_by_session(known_panes)
        if any(_lacks_exit_status(pane) for probe in probes for pane in found.get(probe.ref.session, ())):
            server.reap_children()  # a tmux that missed SIGCHLD (3.3a) collects the exit status
            found = _read_by_session(server, probes)
        missing = [probe for probe in probes if not found.get(probe.ref.session)]
        server_lost = any(probe.evidence.meta for probe in missing) and server.is_listening() is False
    except TmuxUnavailable as problem:
        for probe in probes:
            probe.evidence.tmux_error = problem.message
            probe.evidence.tmux_error_code = problem.code
        return
    for probe in probes:
        panes = found.get(probe.ref.session, ())
        meta = probe.evidence.meta
        own = [pane for pane in panes if meta is not None and pane.pane_id == meta.pane_id]
        probe.evidence.pane = next(iter([*own, *panes]), None)
        probe.evidence.server_lost = server_lost and not panes and meta is not None


def refresh_panes(probes: Sequence[SessionProbe]) -> None:
    """Make the servers reap their children, and read the panes again."""
    for server in {id(probe.tmux): probe.tmux for probe in probes}.values():
        server_probes = [probe for probe in probes if probe.tmux is server]
        try:
            server.reap_children()
            assign_panes(server, server_probes, None)
        except TmuxUnavailable:
            continue  # the earlier panes remain


def _read_by_session(server: Tmux, probes: Sequence[SessionProbe]) -> dict[str, list[Pane]]:
    if not files.exists(server.socket):
        server.program()  # raises if tmux is not installed
        return {}
    only_session = probes[0].ref.session if len(probes) == 1 else ""
    return _group_by_session(server.list_panes(only_session))


def _group_by_session(panes: Sequence[Pane]) -> dict[str, list[Pane]]:
    found: dict[str, list[Pane]] = {}
    for pane in panes:
        found.setdefault(pane.session, []).append(pane)
    return found


def _lacks_exit_status(pane: Pane) -> bool:
    return pane.dead and not pane.dead_status and not pane.dead_signal


def read_screens(probes: Sequence[SessionProbe], all_screens: bool) -> None:
    """Read the screens that the state depends on, with one chained capture per server.

    The screen of an idle agent is only searched for its input box.
    """
    needed = {id(probe) for probe in probes if all_screens or _needs_screen(probe)}
    wanted = [probe for probe in probes if id(probe) in needed or _is_idle(probe)]
    for server in {id(probe.tmux): probe.tmux for probe in wanted}.values():
        server_probes = [probe for probe in wanted if probe.tmux is server]
        ids = [probe.evidence.pane.pane_id for probe in server_probes if probe.evidence.pane is not None]
        try:
            texts = server.capture(ids)
        except TmuxUnavailable as problem:
            for probe in server_probes:
                probe.evidence.scan_error = problem.message
            continue
        for probe in server_probes:
            pane = probe.evidence.pane
            text = texts.get(pane.pane_id, "") if pane is not None else ""
            if text and probe.view is not None and id(probe) in needed:
                probe.view.screen = text
                kept = [report for report in probe.evidence.reports if report.source == "activity"]
                probe.evidence.reports = (*agent_reports.read_reports(probe), *kept)
            probe.evidence.screen = text
            input_block.find_input_block(probe)


def _is_idle(probe: SessionProbe) -> bool:
    return any(report.state in ("idle", "interrupted", "error") for report in probe.evidence.reports)


def _needs_screen(probe: SessionProbe) -> bool:
    if probe.view is None or probe.evidence.custom:
        return False
    return probe.agent.needs_screen([item for item in probe.evidence.reports if item.source != "activity"])
