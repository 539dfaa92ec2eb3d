"""Read panes with one list per server, and the screens that the state depends on."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core import session_panes
from lisa_py.core.session_panes import PaneIndex
from lisa_py.core.status import agent_reports, input_block
from lisa_py.core.status.evidence import SessionProbe
from lisa_py.host.pane import Pane
from lisa_py.host.tmux import Tmux


def assign_panes(server: Tmux, probes: Sequence[SessionProbe], known_panes: Sequence[Pane] | None) -> None:
    """Assign each session of one server its pane, or record that tmux does not answer or its server is gone."""
    try:
        found = _find_panes(_read_panes(server, probes) if known_panes is None else known_panes, probes)
        if any(pane is not None and _lacks_exit_status(pane) for pane in found):
            server.reap_children()  # a tmux that missed SIGCHLD (3.3a) collects the exit status
            found = _find_panes(_read_panes(server, probes), probes)
        missing = [probe for probe, pane in zip(probes, found, strict=True) if pane is None]
        lost, hidden = _find_lost_servers(server, missing), _find_unreachable(server, missing)
    except TmuxUnavailable as problem:
        for probe in probes:
            probe.evidence.tmux_error = problem.message
            probe.evidence.tmux_error_code = problem.code
        return
    for probe, pane in zip(probes, found, strict=True):
        probe.evidence.pane = pane
        probe.evidence.server_lost = id(probe) in lost
        if id(probe) in hidden:
            probe.evidence.tmux_error = session_panes.describe_unreachable(server)
            probe.evidence.tmux_error_code = "tmux_unavailable"


def _find_unreachable(server: Tmux, missing: Sequence[SessionProbe]) -> set[int]:
    """Return the ids of the probes whose living tmux server is not the one that answers on the socket."""
    metas = {id(probe): probe.evidence.meta for probe in missing if probe.evidence.meta is not None}
    living = {key: meta.server_pid for key, meta in metas.items() if session_panes.has_living_server(meta)}
    answering = server.read_server_pid() if living else 0
    return {key for key, pid in living.items() if pid != answering}


def refresh_panes(probes: Sequence[SessionProbe]) -> None:
    """Make the servers reap their children, and read the panes again."""
    for server in {id(probe.tmux): probe.tmux for probe in probes}.values():
        server_probes = [probe for probe in probes if probe.tmux is server]
        try:
            server.reap_children()
            assign_panes(server, server_probes, None)
        except TmuxUnavailable:
            continue  # the earlier panes remain


def _read_panes(server: Tmux, probes: Sequence[SessionProbe]) -> list[Pane]:
    metas = [probe.evidence.meta for probe in probes if probe.evidence.meta is not None]
    one = probes[0] if len(probes) == 1 else None
    return session_panes.list_reachable(
        server,
        lambda: session_panes.read_panes(server, one.ref.session, one.evidence.meta) if one else server.list_panes(),
        lambda: metas or [meta for probe in probes[:1] for meta in session_panes.read_metas(probe.ref.project)],
    )


def _find_panes(panes: Sequence[Pane], probes: Sequence[SessionProbe]) -> list[Pane | None]:
    """Return the own pane of each session."""
    index = PaneIndex(panes)
    found = []
    for probe in probes:
        pane = index.find(probe.ref.session, probe.evidence.meta)
        other = pane is not None and session_panes.belongs_to_other(pane, probe.ref, probe.evidence.meta)
        found.append(None if other else pane)
    return found


def _find_lost_servers(server: Tmux, missing: Sequence[SessionProbe]) -> set[int]:
    """Return the ids of the probes whose tmux server has ended, also if another one has taken its socket."""
    recorded = {id(probe): probe.evidence.meta for probe in missing if probe.evidence.meta is not None}
    lives = {key: session_panes.has_living_server(meta) for key, meta in recorded.items()}
    if None in lives.values():
        listening = server.is_listening() is not False
        lives = {key: listening if living is None else living for key, living in lives.items()}
    return {key for key, living in lives.items() if not living}


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
    """Return True for an idle agent; a custom command has no known input box to search for."""
    return probe.view is not None and any(
        report.state in ("idle", "interrupted", "error") for report in probe.evidence.reports
    )


def _needs_screen(probe: SessionProbe) -> bool:
    if probe.view is None or probe.evidence.custom:
        return False
    return probe.agent.needs_screen([item for item in probe.evidence.reports if item.source != "activity"])
