"""The demo: a small fleet in a project of its own, watched live, answered, read, handed on, and cleaned up."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.life import kill, launch, send
from lisa_py.core.life.answering import DIALOGS
from lisa_py.core.life.draft import SpawnRequest
from lisa_py.core.life.send import Payload
from lisa_py.core.life.spawn import spawn
from lisa_py.core.pilot import fleet
from lisa_py.core.pilot.demo_report import Answered, Report, Row, Step, Told
from lisa_py.core.pilot.fleet import Player
from lisa_py.core.relay import handoff
from lisa_py.core.relay.capture import capture
from lisa_py.core.relay.captured import CaptureRequest
from lisa_py.core.relay.handoff import HandoffRequest
from lisa_py.core.relay.recent import EventReader
from lisa_py.core.watch import look
from lisa_py.core.watch.evidence import collect
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.verdict import judge
from lisa_py.host import files
from lisa_py.host.env import ROUTING
from lisa_py.store.places import Place

BEAT_SECONDS = 0.1
SCRIPTED_SECONDS = 28.0
REAL_SECONDS = 180.0
RESTS = ("completed", "crashed", "stuck", "not_found")

Show = Callable[[Step], None]


def run(ctx: Context, agent: str, show: Show, *, pace: float = 1.0) -> Report:
    """Play the whole demo; whatever happens, Ctrl-C included, nothing is left behind.

    Raises LisaError: invalid_agent, agent_not_installed, tmux_missing, and what spawn raises.
    """
    chosen = agents.get(agent)
    root = _stage(ctx)
    stage = _context(ctx, root)
    play = _Play(stage, chosen.name, chosen.hidden, root, show, pace)
    try:
        play.act()
    finally:
        left = play.strike()
    return play.report(left)


def _stage(ctx: Context) -> str:
    """A folder with a small project in it; short, because sockets lie in it too."""
    root = files.temporary_dir(os.path.join(ctx.settings.temp_dir, "lisa-demo-"))
    project = files.private_dir(os.path.join(root, "project"))
    for name in fleet.FOLDERS:
        files.private_dir(os.path.join(project, name))
    for name in fleet.FILES:
        files.write(os.path.join(project, name), "part of lisa's demo\n")
    return root


def _context(ctx: Context, root: str) -> Context:
    """The caller's world, except that all of lisa's own files go into the demo's folder."""
    own = {
        "LISA_STATE_DIR": os.path.join(root, "state"),
        "LISA_TMUX_SOCKET_DIR": root,
        "SCRIPTED_HOME": os.path.join(root, "agent"),
    }
    kept = {name: value for name, value in ctx.settings.environ.items() if name not in ROUTING}
    settings = msgspec.structs.replace(
        ctx.settings,
        environ={**kept, **own},
        state_dir=own["LISA_STATE_DIR"],
        tmux_socket_dir=root,
        parent_session="",
        project_root="",
    )
    return Context(settings, clock=ctx.clock, cwd=os.path.join(root, "project"), warn=ctx.warn)


class _Play:
    """One performance."""

    def __init__(self, ctx: Context, agent: str, bundled: bool, root: str, show: Show, pace: float) -> None:
        self._ctx = ctx
        self._agent = agent
        self._root = root
        self._show = show
        self._pace = pace
        self._bundled = bundled
        self._players = fleet.scripted(pace) if bundled else fleet.real()
        self._places: dict[str, Place] = {}
        self._began = ctx.clock.monotonic()
        self._deadline = self._began + (SCRIPTED_SECONDS if bundled else REAL_SECONDS)
        self._since: dict[str, tuple[tuple[str, ...], float]] = {}
        self._seen: dict[str, list[str]] = {}
        self._rows: tuple[Row, ...] = ()
        self._memory = Memory()
        self._answered: list[Answered] = []
        self._told: tuple[Told, ...] = ()
        self._handed_to, self._hand_delivered = "", False
        self._killed = 0

    def act(self) -> None:
        self._say(f"A fleet of {len(self._players)} {self._agent} agents in {self._ctx.cwd}")
        for player in self._players:
            self._spawn(player)
        self._watch()
        self._hand_on()
        self._read()

    # -- the acts ---------------------------------------------------------------------------------------------

    def _spawn(self, player: Player) -> None:
        wanted = launch.Request(
            agent=self._agent, mode=player.mode, prompt=player.prompt, skip_permissions=False, trust=False
        )
        spawned = spawn(self._ctx, SpawnRequest(launch=wanted, session=f"lisa-demo-{player.role}"))
        self._places[player.role] = spawned.draft.place
        self._look()

    def _watch(self) -> None:
        """Until all of them rest; who asks for permission gets it."""
        while not self._late():
            asking = [row for row in self._look() if row.waiting_for in DIALOGS]
            ripe = [row for row in asking if row.seconds >= self._pace]  # long enough to be seen
            for row in ripe:
                self._answer(row)
            if not asking and all(_rests(row) for row in self._rows):
                return
            self._ctx.clock.sleep(BEAT_SECONDS)

    def _answer(self, row: Row) -> None:
        try:
            sent = send.send(self._ctx, self._places[row.role], Payload(answer="yes"))
        except LisaError as problem:  # a dialog may change or go by itself: look again
            self._since.pop(row.role, None)
            self._say(f"{row.role} was not answered: {problem.message}")
            return
        if sent.answered is None:
            return
        self._answered.append(
            Answered(
                role=row.role,
                waiting_for=row.waiting_for,
                choice=sent.answered.text,
                delivered_by=sent.delivered_by,
            )
        )
        self._say(f"{row.role} asked ({row.waiting_for}: {row.task}) and was answered: {sent.answered.text}")

    def _hand_on(self) -> None:
        """Tell one agent what another has found out, and wait for its answer."""
        giver = self._players[0]
        taker = next((player for player in self._players if player.reader), None)
        if taker is None or self._late() or not self._rests(taker.role):
            return
        text, _ = self._last_words(giver.role)
        baton = handoff.build(self._ctx, self._places[giver.role], HandoffRequest(), EventReader(self._ctx, None, ""))
        words = f"{giver.role} is done ({baton.summary}). It said: {text} {taker.asked}"
        try:
            sent = send.send(self._ctx, self._places[taker.role], Payload(text=words, enter=True))
        except LisaError as problem:
            self._say(f"{taker.role} did not take {giver.role}'s result: {problem.message}")
            return
        self._handed_to, self._hand_delivered = taker.role, sent.delivered is True
        seen = f"delivered, seen by {sent.delivered_by}" if sent.delivered is True else "not delivered"
        self._say(f"Handed {giver.role}'s result to {taker.role}: {seen}")
        self._watch()

    def _read(self) -> None:
        rows = {row.role: row for row in self._look()}
        self._told = tuple(self._told_by(player, rows[player.role]) for player in self._players)
        for told in self._told:
            self._say(f"{told.role} said: {told.said or '(nothing)'}")

    def _told_by(self, player: Player, row: Row) -> Told:
        text, source = self._last_words(player.role)
        status = look.status(self._ctx, self._places[player.role])
        return Told(
            role=player.role,
            session=row.session,
            session_state=status.session_state,
            agent_state=status.agent_state,
            waiting_for=status.waiting_for,
            error_kind=status.error_kind or "",
            states=tuple(self._seen.get(player.role, ())),
            said=text,
            source=source,
        )

    def _last_words(self, role: str) -> tuple[str, str]:
        try:
            taken = capture(self._ctx, self._places[role], CaptureRequest(lines=60))
        except LisaError as problem:
            return problem.message, ""
        if taken.talk is not None:
            said = [message.text for message in taken.talk.messages if message.role == "assistant"]
            wrong = [problem.text for problem in taken.talk.problems]
            return next(iter([*reversed(said), *reversed(wrong)]), "").strip(), taken.source
        lines = [line for line in taken.text.split("\n") if line.strip()]
        return (lines[-1].strip() if lines else ""), taken.source

    def strike(self) -> tuple[str, ...]:
        """Take the stage down; answers what is left of it."""
        left: list[str] = []
        for role, place in self._places.items():
            try:
                kill.kill(self._ctx, place)
                self._killed += 1
            except Exception as problem:  # the others are to be ended all the same
                left.append(f"{role}: {problem}")
        try:
            self._ctx.tmux(self._ctx.project()).kill_server()
        except LisaError as problem:
            left.append(problem.message)
        sockets = os.path.dirname(self._ctx.project().socket)  # elsewhere when the temporary folder's path is long
        for folder in (self._root, sockets):
            files.remove_tree(folder)
            if files.exists(folder):
                left.append(folder)
        if self._told or left:
            self._say(f"{self._killed} sessions killed, {'nothing' if not left else ', '.join(left)} left behind")
        return tuple(left)

    def report(self, left: tuple[str, ...]) -> Report:
        return Report(
            ok=not left and bool(self._told) and self._hand_delivered,
            agent=self._agent,
            seconds=round(self._ctx.clock.monotonic() - self._began, 2),
            sessions=self._told,
            answered=tuple(self._answered),
            handed_to=self._handed_to,
            hand_delivered=self._hand_delivered,
            killed=self._killed,
            left_behind=left,
        )

    # -- looking ----------------------------------------------------------------------------------------------

    def _look(self) -> tuple[Row, ...]:
        """See all sessions in one go and show what is new."""
        found = collect(self._ctx, list(self._places.values()), memory=self._memory)
        statuses = {evidence.session: judge(evidence, self._ctx.clock.now()) for evidence in found}
        now = self._ctx.clock.monotonic()
        rows = [self._row(role, statuses[place.session], now) for role, place in self._places.items()]
        before = {row.role: row.key for row in self._rows}
        changed = tuple(row for row in rows if before.get(row.role) != row.key)
        self._rows = tuple(rows)
        for row in changed:
            self._seen.setdefault(row.role, []).append(row.waiting_for if row.waiting_for in DIALOGS else row.doing)
        self._show(Step(at=now - self._began, rows=self._rows, changed=changed))
        return self._rows

    def _row(self, role: str, status: Status, now: float) -> Row:
        key = (status.session_state, status.agent_state, status.waiting_for)
        if self._since.get(role, ((), 0.0))[0] != key:
            self._since[role] = (key, now)
        return Row(
            role=role,
            session=status.session,
            state=status.session_state,
            doing=status.agent_state,
            waiting_for=status.waiting_for,
            task=status.state_detail or (status.active_task if status.todos_done < status.todos_total else ""),
            todos_done=status.todos_done,
            todos_total=status.todos_total,
            seconds=now - self._since[role][1],
            source=status.state_source,
        )

    def _rests(self, role: str) -> bool:
        return any(row.role == role and _rests(row) for row in self._rows)

    def _late(self) -> bool:
        return self._ctx.clock.monotonic() > self._deadline

    def _say(self, text: str) -> None:
        self._show(Step(at=self._ctx.clock.monotonic() - self._began, text=text, rows=self._rows))


def _rests(row: Row) -> bool:
    return row.state in RESTS or (row.state == "waiting_input" and row.waiting_for not in DIALOGS)
