"""What tmux shows of sessions: their panes in one list per server, and the screens that decide something."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.watch import signs
from lisa_py.core.watch.subject import Subject
from lisa_py.host import files
from lisa_py.host.pane import Pane
from lisa_py.host.tmux import Tmux


def find(server: Tmux, subjects: Sequence[Subject], held: Sequence[Pane] | None) -> None:
    """Give each session of one server its pane, or say that tmux cannot be asked or has no server any more."""
    try:
        found = _by_session(server, subjects) if held is None else _grouped(held)
        if any(_unexplained(pane) for subject in subjects for pane in found.get(subject.place.session, ())):
            server.nudge()  # a tmux that missed its SIGCHLD learns how the pane ended
            found = _by_session(server, subjects)
        missing = [subject for subject in subjects if not found.get(subject.place.session)]
        lost = any(subject.evidence.meta for subject in missing) and server.answers() is False
    except TmuxUnavailable as problem:
        for subject in subjects:
            subject.evidence.tmux_error = problem.message
            subject.evidence.tmux_error_code = problem.code
        return
    for subject in subjects:
        panes = found.get(subject.place.session, ())
        meta = subject.evidence.meta
        own = [pane for pane in panes if meta is not None and pane.pane_id == meta.pane_id]
        subject.evidence.pane = next(iter([*own, *panes]), None)
        subject.evidence.server_lost = lost and not panes and meta is not None


def find_again(subjects: Sequence[Subject]) -> None:
    """Let the servers look after their children, and take the panes as they are then."""
    for server in {id(subject.tmux): subject.tmux for subject in subjects}.values():
        mine = [subject for subject in subjects if subject.tmux is server]
        try:
            server.nudge()
            find(server, mine, None)
        except TmuxUnavailable:
            continue  # what was seen stands


def _by_session(server: Tmux, subjects: Sequence[Subject]) -> dict[str, list[Pane]]:
    if not files.exists(server.socket):
        server.program()  # no tmux at all is another answer than no server
        return {}
    wanted = subjects[0].place.session if len(subjects) == 1 else ""
    return _grouped(server.panes(wanted))


def _grouped(panes: Sequence[Pane]) -> dict[str, list[Pane]]:
    found: dict[str, list[Pane]] = {}
    for pane in panes:
        found.setdefault(pane.session, []).append(pane)
    return found


def _unexplained(pane: Pane) -> bool:
    return pane.dead and not pane.dead_status and not pane.dead_signal


def read_screens(subjects: Sequence[Subject], every: bool) -> None:
    """One chained capture per server for the panes whose screen decides something."""
    wanted = [subject for subject in subjects if every or _needs_screen(subject)]
    for server in {id(subject.tmux): subject.tmux for subject in wanted}.values():
        mine = [subject for subject in wanted if subject.tmux is server]
        ids = [subject.evidence.pane.pane_id for subject in mine if subject.evidence.pane is not None]
        try:
            texts = server.capture(ids)
        except TmuxUnavailable as problem:
            for subject in mine:
                subject.evidence.scan_error = problem.message
            continue
        for subject in mine:
            pane = subject.evidence.pane
            text = texts.get(pane.pane_id, "") if pane is not None else ""
            subject.evidence.screen = text
            if text and subject.view is not None:
                subject.view.screen = text
                kept = [report for report in subject.evidence.reports if report.source == "activity"]
                subject.evidence.reports = (*signs.reports(subject), *kept)


def _needs_screen(subject: Subject) -> bool:
    if subject.view is None or subject.evidence.custom:
        return False
    return subject.agent.needs_screen([item for item in subject.evidence.reports if item.source != "activity"])
