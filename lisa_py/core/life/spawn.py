"""Spawning: one new session, made under its name's lock, seen to have started, or undone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.life import birth, ending, handover, launch, leftovers, send
from lisa_py.core.life.draft import Draft, draft, refuse_existing
from lisa_py.core.life.draft import SpawnRequest as SpawnRequest  # part of what this module offers
from lisa_py.host import files, processes
from lisa_py.host.tmux import Pane
from lisa_py.store import events, folder, pruning, session, tokens
from lisa_py.store.session import End
from lisa_py.store.tokens import Reservation


class Spawned(Struct, frozen=True, kw_only=True):
    """A session that has started."""

    draft: Draft
    meta: SessionMeta
    end: End | None = None
    """How the command has ended already, when it was that quick."""
    output: str = ""
    """What it said, when it has ended."""
    prompt_sent: bool | None = None
    """Whether a prompt too long for the command line was taken; None: there was none to send."""
    oauth_warning: str = ""
    warnings: tuple[str, ...] = ()


def spawn(ctx: Context, request: SpawnRequest) -> Spawned:
    """Make the session and return once its command runs (or has run).

    Of several callers with one name one gets it, the others session_already_exists. A failure leaves nothing but an
    event; raises LisaError, spawn_early_exit when the agent ended at once with a code other than 0.
    """
    plan = draft(ctx, request)
    patience = (ctx.settings.cmd_timeout_seconds + int(birth.START_SECONDS)) * 1000
    with session.session_lock(plan.place, ctx.settings, "name", timeout_ms=patience):
        try:
            refuse_existing(ctx, plan.place)
            leftovers.clear(ctx, plan.place)
            events.restart(plan.place, ctx.settings)
            spawned = _Birth(ctx, plan).give()
        except BaseException:
            if not folder.has_more_than_events(plan.place):
                folder.remove_locks(plan.place)
            raise
    if plan.all_hashes:
        leftovers.clean_elsewhere(ctx, plan.place)
    _quietly(ctx, lambda: pruning.prune(ctx.settings, ctx.clock.now()))
    return spawned


class _Birth:
    """One attempt to make a session; it knows how far it has come, so that it can be undone."""

    def __init__(self, ctx: Context, plan: Draft) -> None:
        self._ctx = ctx
        self._plan = plan
        self._opening = False
        self._pane: Pane | None = None
        self._token = Reservation()

    def give(self) -> Spawned:
        ctx, plan = self._ctx, self._plan
        try:
            spawned = self._start()
            if self._token.id:
                tokens.consume(ctx.settings, ctx.clock.now(), plan.run_id, self._token.id)
        except BaseException as problem:
            self._undo(problem)
            raise
        self._record("spawned", "active", "spawn_success")
        return spawned

    def _start(self) -> Spawned:
        ctx, plan = self._ctx, self._plan
        if plan.start.agent.oauth_variable and files.exists(tokens.path(ctx.settings)):
            self._token = tokens.reserve(ctx.settings, ctx.clock.now(), plan.run_id)
        environ = handover.variables(ctx, plan, self._token)
        prepared = launch.prepare(
            ctx,
            plan.start,
            folder=plan.place.folder,
            project_root=plan.place.project.root,
            run_id=plan.run_id,
            environ=environ,
        )
        meta = handover.write(ctx, plan, prepared, self._token, environ)
        meta = self._open_pane(meta)
        took = birth.await_start(ctx, plan.server, plan.place, plan.run_id)
        spawned = self._first_moments(Spawned(draft=plan, meta=meta, oauth_warning=self._token.warning), took)
        return self._with_prompt(spawned) if prepared.plan.send_prompt and spawned.end is None else spawned

    def _open_pane(self, meta: SessionMeta) -> SessionMeta:
        plan, self._opening = self._plan, True
        self._pane = pane = plan.server.new_session(
            plan.name,
            birth.supervisor(plan.place, plan.run_id, plan.mode),
            root=plan.place.project.root,
            width=plan.width,
            height=plan.height,
            env={"LISA_RUN_ID": plan.run_id},  # from its first moment on, kill knows what belongs to the run
        )
        process = processes.look(pane.pid, argv=False)
        started = process.started if process else 0.0
        meta = msgspec.structs.replace(meta, pane_id=pane.pane_id, pane_pid=pane.pid, pane_started=started)
        session.write_meta(plan.place, meta)
        return meta

    def _first_moments(self, spawned: Spawned, took: float) -> Spawned:
        """Raises LisaError(spawn_early_exit) when the agent itself fails at once.

        A custom command that does so has run, and its session tells how: an answer, not a failure to spawn.
        """
        plan, pane = self._plan, self._pane
        assert pane is not None
        agent, custom = plan.start.agent, plan.start.custom
        end = birth.early_end(self._ctx, plan.place, plan.run_id, custom=bool(custom), took=took)
        if end is None:
            return spawned
        output = birth.last_words(self._ctx, plan.server, pane, plan.run_id)
        if end.code == 0 or custom:
            return msgspec.structs.replace(spawned, end=end, output=output)
        last = output.rpartition("\n")[2].strip() or "it said nothing"
        raise LisaError(
            "spawn_early_exit",
            f"{agent.title or agent.name} ended at once with code {end.code}: {last}",
            session=plan.name,
            exitCode=end.code,
            output=output,
        )

    def _with_prompt(self, spawned: Spawned) -> Spawned:
        """Send what was too long for the command line; a session that does not take it is there all the same."""
        text = self._plan.start.launch.prompt
        try:
            sent = send.send(self._ctx, self._plan.place, send.Payload(text=text, enter=True))
        except LisaError as problem:
            why = f"the prompt is too long for the command line and was not sent: {problem.message}"
            return msgspec.structs.replace(spawned, prompt_sent=False, warnings=(*spawned.warnings, why))
        return msgspec.structs.replace(spawned, prompt_sent=sent.delivered is True)

    def _undo(self, problem: BaseException) -> None:
        """Leave nothing of this attempt but an event that tells of it."""
        ctx, plan = self._ctx, self._plan
        run = ending.Run(place=plan.place, run_id=plan.run_id, roots=(self._pane.pid,) if self._pane else ())
        _quietly(ctx, lambda: tokens.release(ctx.settings, ctx.clock.now(), plan.run_id) if self._token.id else None)
        if self._is_ours():
            _quietly(ctx, lambda: ending.end(ctx, [run], grace=0.5))
            _quietly(ctx, lambda: plan.server.kill_session(plan.name))
        _quietly(ctx, lambda: folder.empty(plan.place))
        code = problem.code if isinstance(problem, LisaError) else ""
        if code.startswith("spawn_"):
            self._record("degraded", "idle", code.replace("_failed", "_error"))

    def _is_ours(self) -> bool:
        """Whether tmux has a session of this attempt, also when it could not say so at the time."""
        if self._pane is not None or not self._opening:
            return self._pane is not None
        try:
            pane = self._plan.server.pane(self._plan.name)
        except LisaError:
            return False
        process = processes.look(pane.pid) if pane is not None else None
        return process is not None and self._plan.run_id in process.argv

    def _record(self, state: str, status: str, reason: str) -> None:
        ctx, place = self._ctx, self._plan.place

        def add() -> None:
            events.add(
                place, ctx.settings, ctx.clock.now(), type="lifecycle", state=state, status=status, reason=reason
            )

        _quietly(ctx, add)


def _quietly(ctx: Context, step: Callable[[], object]) -> None:
    """What goes wrong on the side is told and stops nothing."""
    try:
        step()
    except (LisaError, OSError) as problem:
        ctx.warn(f"observability warning: {problem}")
