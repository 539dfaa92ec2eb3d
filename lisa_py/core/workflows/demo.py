"""Run the demo: a small fleet in a temporary project, shown live, answered, read, handed off and cleaned up."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from lisa_py import agents
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.fleet import status_table
from lisa_py.core.fleet.status_table import StatusRow
from lisa_py.core.handoff import handoff
from lisa_py.core.handoff.handoff import HandoffRequest
from lisa_py.core.lifecycle import kill, launch
from lisa_py.core.lifecycle.spawn import spawn_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest
from lisa_py.core.output.events import EventReader
from lisa_py.core.send import send
from lisa_py.core.send.open_dialog import DIALOG_KINDS
from lisa_py.core.send.send import SendPayload
from lisa_py.core.status import status_reader
from lisa_py.core.status.evidence_collector import collect_evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.status.verdict import judge
from lisa_py.core.workflows import demo_script
from lisa_py.core.workflows.demo_report import DemoAnswer, DemoResult, DemoSessionSummary, DemoUpdate
from lisa_py.core.workflows.demo_script import DemoAgent
from lisa_py.host import files
from lisa_py.host.env import ROUTING_VARIABLES
from lisa_py.store.paths import SessionRef

POLL_SECONDS = 0.1
SCRIPTED_SECONDS = 28.0
REAL_SECONDS = 180.0
ENDED_STATES = ("completed", "crashed", "stuck", "not_found")

ShowUpdate = Callable[[DemoUpdate], None]


def run(ctx: Context, agent: str, show: ShowUpdate, *, pace: float = 1.0) -> DemoResult:
    """Run the whole demo and remove everything afterwards, also after Ctrl-C.

    Raise LisaError: invalid_agent, agent_not_installed, tmux_missing, and the errors of spawn.
    """
    chosen = agents.get(agent)
    root = _create_project(ctx)
    demo_context = _build_context(ctx, root)
    runner = _DemoRunner(demo_context, chosen.name, chosen.hidden, root, show, pace)
    try:
        runner.run()
    finally:
        left = runner.clean_up()
    return runner.build_result(left)


def _create_project(ctx: Context) -> str:
    """Create a folder with a small project; its path is short because it holds sockets."""
    root = files.make_temporary_dir(os.path.join(ctx.settings.temp_dir, "lisa-demo-"))
    project = files.ensure_private_dir(os.path.join(root, "project"))
    for name in demo_script.FOLDERS:
        files.ensure_private_dir(os.path.join(project, name))
    for name in demo_script.FILES:
        files.write(os.path.join(project, name), "part of lisa's demo\n")
    return root


def _build_context(ctx: Context, root: str) -> Context:
    """Return the caller's context with all files of lisa inside the demo folder."""
    own = {
        "LISA_STATE_DIR": os.path.join(root, "state"),
        "LISA_TMUX_SOCKET_DIR": root,
        "SCRIPTED_HOME": os.path.join(root, "agent"),
    }
    kept = {name: value for name, value in ctx.settings.environ.items() if name not in ROUTING_VARIABLES}
    settings = msgspec.structs.replace(
        ctx.settings,
        environ={**kept, **own},
        state_dir=own["LISA_STATE_DIR"],
        tmux_socket_dir=root,
        parent_session="",
        project_root="",
    )
    return Context(
        settings,
        clock=ctx.clock,
        cwd=os.path.join(root, "project"),
        warn=ctx.warn,
        cancellation=ctx.cancellation,
    )


class _DemoRunner:
    """One run of the demo."""

    def __init__(self, ctx: Context, agent: str, bundled: bool, root: str, show: ShowUpdate, pace: float) -> None:
        self._ctx = ctx
        self._agent = agent
        self._root = root
        self._show = show
        self._pace = pace
        self._agents = demo_script.scripted_agents(pace) if bundled else demo_script.real_agents()
        self._refs: dict[str, SessionRef] = {}
        self._began = ctx.clock.monotonic()
        self._deadline = self._began + (SCRIPTED_SECONDS if bundled else REAL_SECONDS)
        self._since: dict[str, tuple[tuple[str, ...], float]] = {}
        self._seen: dict[str, list[str]] = {}
        self._rows: tuple[StatusRow, ...] = ()
        self._memory = PollCache()
        self._answered: list[DemoAnswer] = []
        self._sessions: tuple[DemoSessionSummary, ...] = ()
        self._receiver, self._handoff_delivered = "", False
        self._killed = 0

    def run(self) -> None:
        self._show_text(f"A fleet of {len(self._agents)} {self._agent} agents in {self._ctx.cwd}")
        for demo_agent in self._agents:
            self._spawn(demo_agent)
        self._watch()
        self._hand_over()
        self._read_results()

    # -- steps ------------------------------------------------------------------------------------------------

    def _spawn(self, demo_agent: DemoAgent) -> None:
        wanted = launch.LaunchRequest(
            agent=self._agent, mode=demo_agent.mode, prompt=demo_agent.prompt, skip_permissions=False, trust=False
        )
        spawned = spawn_session(self._ctx, SpawnRequest(launch=wanted, session=f"lisa-demo-{demo_agent.role}"))
        self._refs[demo_agent.role] = self._ctx.ref(spawned.session, spawned.project_root)
        self._refresh()

    def _watch(self) -> None:
        """Wait until all agents are idle; approve permission requests."""
        while not self._is_overdue():
            waiting = [row for row in self._refresh() if row.waiting_for in DIALOG_KINDS]
            due = [row for row in waiting if row.seconds >= self._pace]  # long enough to be seen
            for row in due:
                self._answer(row)
            if not waiting and all(_is_row_idle(row) for row in self._rows):
                return
            self._ctx.pause(POLL_SECONDS)

    def _answer(self, row: StatusRow) -> None:
        try:
            sent = send.send_payload(self._ctx, self._refs[row.name], SendPayload(answer="yes"))
        except CancellationError:
            raise
        except LisaError as problem:  # a dialog may change or go by itself: look again
            self._since.pop(row.name, None)
            self._show_text(f"could not answer {row.name}: {problem.message}")
            return
        if not sent.answered:
            return
        self._answered.append(
            DemoAnswer(
                role=row.name,
                waiting_for=row.waiting_for,
                choice=sent.answered.text,
                delivered_by=sent.delivered_by or "",
            )
        )
        self._show_text(f"answered {row.name} ({row.waiting_for}: {row.task}): {sent.answered.text}")

    def _hand_over(self) -> None:
        """Send the result of one agent to another and wait for its reply."""
        sender = self._agents[0]
        receiver = next((player for player in self._agents if player.receives_handoff), None)
        if receiver is None or self._is_overdue() or not self._is_idle(receiver.role):
            return
        text, _ = self._read_last_message(sender.role)
        handoff_result = handoff.build(
            self._ctx, self._refs[sender.role], HandoffRequest(), EventReader(self._ctx, None, "")
        )
        message = f"{sender.role} is done ({handoff_result.summary}). Its reply: {text} {receiver.follow_up}"
        try:
            sent = send.send_payload(self._ctx, self._refs[receiver.role], SendPayload(text=message, enter=True))
        except CancellationError:
            raise
        except LisaError as problem:
            self._show_text(f"{receiver.role} did not accept the result of {sender.role}: {problem.message}")
            return
        self._receiver, self._handoff_delivered = receiver.role, sent.delivered is True
        delivery = f"delivered, confirmed by {sent.delivered_by}" if sent.delivered is True else "not delivered"
        self._show_text(f"Sent the result of {sender.role} to {receiver.role}: {delivery}")
        self._watch()

    def _read_results(self) -> None:
        rows = {row.name: row for row in self._refresh()}
        self._sessions = tuple(self._summarize_session(player, rows[player.role]) for player in self._agents)
        for summary in self._sessions:
            self._show_text(f"{summary.role} replied: {summary.said or '(nothing)'}")

    def _summarize_session(self, demo_agent: DemoAgent, row: StatusRow) -> DemoSessionSummary:
        text, source = self._read_last_message(demo_agent.role)
        status = status_reader.read_status(self._ctx, self._refs[demo_agent.role])
        return DemoSessionSummary(
            role=demo_agent.role,
            session=row.session,
            session_state=status.session_state,
            agent_state=status.agent_state,
            waiting_for=status.waiting_for,
            error_kind=status.error_kind or "",
            states=tuple(self._seen.get(demo_agent.role, ())),
            said=text,
            source=source,
        )

    def _read_last_message(self, role: str) -> tuple[str, str]:
        try:
            taken = capture_session(self._ctx, self._refs[role], CaptureRequest(lines=60))
        except LisaError as problem:
            return problem.message, ""
        if taken.excerpt is not None:
            replies = [message.text for message in taken.excerpt.messages if message.role == "assistant"]
            errors = [problem.text for problem in taken.excerpt.problems]
            return next(iter([*reversed(replies), *reversed(errors)]), "").strip(), taken.source
        lines = [line for line in taken.text.split("\n") if line.strip()]
        return (lines[-1].strip() if lines else ""), taken.source

    def clean_up(self) -> tuple[str, ...]:
        """End all sessions and remove the folder; return the remaining files and sessions."""
        left: list[str] = []
        for role, ref in self._refs.items():
            try:
                kill.kill_session(self._ctx, ref)
                self._killed += 1
                self._rows = tuple(status_table.mark_killed(row) if row.name == role else row for row in self._rows)
            except Exception as problem:  # end the other sessions all the same
                left.append(f"{role}: {problem}")
        try:
            self._ctx.tmux(self._ctx.project()).kill_server()
        except LisaError as problem:
            if self._refs or problem.code != "tmux_missing":  # else no server was started
                left.append(problem.message)
        sockets = os.path.dirname(self._ctx.project().socket)  # outside the folder if its path is long
        for folder in (self._root, sockets):
            files.remove_tree(folder)
            if files.exists(folder):
                left.append(folder)
        if self._sessions or left:
            self._show_text(
                f"{self._killed} sessions killed, {'left behind: ' if left else 'nothing left behind'}{'; '.join(left)}"
            )
        return tuple(left)

    def build_result(self, left: tuple[str, ...]) -> DemoResult:
        return DemoResult(
            ok=not left and bool(self._sessions) and self._handoff_delivered,
            agent=self._agent,
            seconds=round(self._ctx.clock.monotonic() - self._began, 2),
            sessions=self._sessions,
            answered=tuple(self._answered),
            handed_to=self._receiver,
            hand_delivered=self._handoff_delivered,
            killed=self._killed,
            left_behind=left,
        )

    # -- reading ----------------------------------------------------------------------------------------------

    def _refresh(self) -> tuple[StatusRow, ...]:
        """Read all sessions at once and show the changes."""
        found = collect_evidence(self._ctx, list(self._refs.values()), cache=self._memory)
        statuses = {evidence.session: judge(evidence, self._ctx.clock.now()) for evidence in found}
        now = self._ctx.clock.monotonic()
        rows = [self._build_row(role, statuses[ref.session], now) for role, ref in self._refs.items()]
        before = {row.name: row.key for row in self._rows}
        changed = tuple(row for row in rows if before.get(row.name) != row.key)
        self._rows = tuple(rows)
        for row in changed:
            self._seen.setdefault(row.name, []).append(
                row.waiting_for if row.waiting_for in DIALOG_KINDS else row.doing
            )
        self._show(DemoUpdate(at=now - self._began, rows=self._rows, changed=changed))
        return self._rows

    def _build_row(self, role: str, status: Status, now: float) -> StatusRow:
        key = (status.session_state, status.agent_state, status.waiting_for)
        if self._since.get(role, ((), 0.0))[0] != key:
            self._since[role] = (key, now)
        return status_table.build_row(status, seconds=now - self._since[role][1], name=role)

    def _is_idle(self, role: str) -> bool:
        return any(row.name == role and _is_row_idle(row) for row in self._rows)

    def _is_overdue(self) -> bool:
        return self._ctx.clock.monotonic() > self._deadline

    def _show_text(self, text: str) -> None:
        self._show(DemoUpdate(at=self._ctx.clock.monotonic() - self._began, text=text, rows=self._rows))


def _is_row_idle(row: StatusRow) -> bool:
    return row.state in ENDED_STATES or (row.state == "waiting_input" and row.waiting_for not in DIALOG_KINDS)
