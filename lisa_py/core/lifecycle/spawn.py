"""Spawn a session under the lock of its name: confirm its start, or undo it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract import objective as contract_objective
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.quoting import quote
from lisa_py.contract.records import SessionMeta, SessionWorktree
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import (
    environment,
    launch,
    session_files,
    startup,
    terminate,
)
from lisa_py.core.lifecycle.spawn_plan import SpawnPlan, SpawnRequest, plan_spawn, refuse_existing
from lisa_py.core.lifecycle.spawn_result import SpawnDryRunResult, SpawnResult
from lisa_py.host import files, limits, processes
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Pane
from lisa_py.store import agent_facts, events, live_records, oauth_tokens, pruning, session_folder, session_records
from lisa_py.store.oauth_tokens import TokenReservation
from lisa_py.store.paths import SessionRef
from lisa_py.store.session_records import EndRecord

HANDLES = 11
"""File handles that a spawn has open at once, three of them on its locks."""


class _Start(Struct, frozen=True, kw_only=True):
    """A started session, as far as it is known."""

    meta: SessionMeta
    command: str
    """The command line that runs, without what lisa adds for itself."""
    end: EndRecord | None = None
    """End of the command, if it has already ended."""
    output: str = ""
    """Its output, if it has ended."""
    prompt_sent: bool | None = None
    """True if a prompt too long for the command line was accepted; None: no such prompt."""
    warnings: tuple[str, ...] = ()


def spawn_session(ctx: Context, request: SpawnRequest) -> SpawnResult:
    """Create the session and return once its command runs (or has run).

    Of several callers with one name one succeeds, the others get session_already_exists. A failure leaves only an
    event; raise LisaError, spawn_early_exit if the agent ended at once with a code other than 0.
    """
    plan = plan_spawn(ctx, request)
    limits.require_handles(HANDLES)
    replaced = request.replace and _kill_former(ctx, plan)
    with lock_name(ctx, plan.ref):
        try:
            refuse_existing(ctx, plan.ref)
            terminate.remove_leftovers(ctx, plan.ref)
            events.restart(plan.ref, ctx.settings)
            spawned = _SpawnAttempt(ctx, plan).run()
        except BaseException:
            if not session_folder.has_more_than_events(plan.ref):
                session_folder.remove_locks(plan.ref)
            raise
    if plan.all_hashes:
        terminate.clean_other_projects(ctx, plan.ref)
    _warn_on_error(ctx, lambda: pruning.prune_hourly(ctx.settings, ctx.clock.now()))
    return msgspec.structs.replace(spawned, replaced=replaced or UNSET)


def lock_name(ctx: Context, ref: SessionRef) -> AbstractContextManager[float]:
    """Return the lock of the session's name, which a start holds."""
    timeout_ms = (ctx.settings.cmd_timeout_seconds + int(startup.START_SECONDS)) * 1000
    return session_records.session_lock(ref, ctx.settings, "name", timeout_ms=timeout_ms, cancellation=ctx.cancellation)


def start_again(ctx: Context, plan: SpawnPlan) -> SpawnResult:
    """Start a session on its former records, for the holder of the lock of its name.

    A failure leaves them as they were, with an event; raise LisaError as spawn_session.
    """
    limits.require_handles(HANDLES)
    return _SpawnAttempt(ctx, plan).run()


def _kill_former(ctx: Context, plan: SpawnPlan) -> bool:
    """Kill the session of this name; return True if there was one. Raise LisaError(session_kill_failed)."""
    from lisa_py.core.lifecycle import kill  # noqa: PLC0415 - only --replace

    report = kill.kill_session(ctx, plan.ref)
    if report.errors:
        raise LisaError(
            "session_kill_failed", f"{plan.name} was not replaced: {'; '.join(report.errors)}", session=plan.name
        )
    return report.found


class _SpawnAttempt:
    """One attempt to create a session; it tracks its progress for an undo."""

    def __init__(self, ctx: Context, plan: SpawnPlan) -> None:
        self._ctx = ctx
        self._plan = plan
        self._opening = False
        self._pane: Pane | None = None
        self._supervisor: Process | None = None
        self._token = TokenReservation()
        self._worktree: SessionWorktree | None = None
        """The worktree of this attempt, once it is made."""
        self._kept: Mapping[str, bytes] = {}
        """Records of the former run of a session that is started again."""

    def run(self) -> SpawnResult:
        ctx, plan = self._ctx, self._plan
        try:
            spawned = self._start()
            if self._token.id:
                oauth_tokens.consume(ctx.settings, ctx.clock.now(), plan.run_id, self._token.id)
        except BaseException as problem:
            self._undo(problem)
            raise
        if plan.former is None:
            self._record_event("spawned", "active", "spawn_success")
        else:
            self._record_event("resumed", "active", "resumed", resumedFrom=plan.former.meta.run_id)
        return self._build_result(spawned)

    def _build_result(self, spawned: _Start) -> SpawnResult:
        plan, meta = self._plan, spawned.meta
        return SpawnResult(
            session=plan.name,
            id=live_records.session_id(plan.ref.project, meta),
            agent=meta.agent,
            mode=meta.mode,
            lane=plan.lane,
            nested_policy=plan.start.nested_policy,
            nesting_intent=plan.start.nesting_intent,
            run_id=plan.run_id,
            project_root=meta.project_root,
            folder=meta.folder or UNSET,
            branch=meta.worktree.branch if meta.worktree else UNSET,
            socket_path=meta.socket_path,
            command=launch.abbreviate_prompt(spawned.command, plan.start.launch.prompt),
            pane_pid=meta.pane_pid,
            agent_session_id=meta.agent_session_id or UNSET,
            prompt_sent=UNSET if spawned.prompt_sent is None else spawned.prompt_sent,
            exit_code=UNSET if spawned.end is None else spawned.end.code,
            output=UNSET if spawned.end is None else spawned.output,
            warnings=spawned.warnings or UNSET,
            hooks=meta.hooks,
            parent_session=plan.parent or UNSET,
            agent_version=meta.agent_version or UNSET,
            oauth_token_id=meta.oauth_token_id or UNSET,
            oauth_warning=self._token.warning or UNSET,
            objective=contract_objective.from_record(plan.objective),
            nested_detection=plan.start.effective_detection(),
            notes=meta.notes or UNSET,
        )

    def _start(self) -> _Start:
        ctx, plan = self._ctx, self._plan
        if uses_pool(plan) and files.exists(oauth_tokens.path(ctx.settings)):
            self._token = oauth_tokens.reserve(ctx.settings, ctx.clock.now(), plan.run_id)
        made: tuple[str, ...] = ()
        if plan.worktree is not None:
            from lisa_py.core.lifecycle import worktree  # noqa: PLC0415 - few sessions have one

            made = worktree.create_worktree(ctx, plan.worktree)
            self._worktree = plan.worktree.worktree
        environ = session_files.build_environment(ctx, plan, self._token)
        prepared = launch.prepare_launch(
            ctx,
            plan.start,
            folder=plan.ref.folder,
            project_root=plan.folder,
            worktree=plan.worktree.worktree.path if plan.worktree else "",
            run_id=plan.run_id,
            environ=environ,
        )
        if plan.former is not None:
            from lisa_py.core.lifecycle import former_run  # noqa: PLC0415 - only a resume

            self._kept = former_run.begin_next_run(ctx, plan.ref, plan.former.meta, plan.run_id)
        meta = session_files.write_session_files(ctx, plan, prepared, self._token, environ)
        if self._worktree is not None:
            from lisa_py.core.lifecycle import worktree_start  # noqa: PLC0415 - few sessions have one

            worktree_start.finish(self._worktree)
        meta = self._open_pane(meta)
        start_seconds = startup.wait_for_start(ctx, plan.server, plan.ref, plan.run_id)
        spawned = _Start(
            meta=meta, command=prepared.plan.command, warnings=(*made, *plan.warnings, *prepared.plan.warnings)
        )
        shape = startup.describe_shape(plan.start.agent, prepared, meta.agent_home)
        if shape not in prepared.facts.shapes:
            seconds = startup.compute_watch_seconds(start_seconds, custom=bool(plan.start.custom))
            spawned = self._check_place(self._check_early_end(spawned, seconds), prepared.facts.binary, shape)
        return self._send_prompt(spawned) if prepared.plan.send_prompt and spawned.end is None else spawned

    def _check_place(self, spawned: _Start, binary: str, shape: str) -> _Start:
        """Record where the agent keeps its files if not where the caller's would, and warn of another folder.

        The next start of the shape is not watched if this one works where it was expected.
        """
        plan, meta = self._plan, spawned.meta
        if spawned.end is not None or plan.start.custom:
            return spawned
        place = startup.find_agent_place(self._ctx, plan.ref, plan.start.agent, meta)
        if place.home and place.home != meta.agent_home:
            meta = msgspec.structs.replace(meta, agent_home=place.home)
            session_records.write_meta(plan.ref, meta)
        warnings = spawned.warnings
        if place.folder and place.folder != files.canonical_path(plan.folder):
            warnings += (f"{plan.start.agent.name} works in {place.folder}, not in {plan.folder}",)
        if shape and place.folder and (meta, warnings) == (spawned.meta, spawned.warnings):
            agent_facts.add_shape(binary, shape, self._ctx.settings, self._ctx.clock.now())
        return msgspec.structs.replace(spawned, meta=meta, warnings=warnings)

    def _open_pane(self, meta: SessionMeta) -> SessionMeta:
        plan, self._opening = self._plan, True
        self._pane = pane = plan.server.new_session(
            plan.name,
            startup.supervisor_command(plan.ref, plan.run_id, plan.mode, self._ctx.settings.heartbeat_stale_seconds),
            root=plan.folder,
            width=plan.width,
            height=plan.height,
            env={"LISA_RUN_ID": plan.run_id},  # from the start kill can find the processes of the run
        )
        self._supervisor = process = processes.read_process(pane.pid, argv=False)
        started = process.started if process else 0.0
        server = processes.read_process(pane.server_pid, argv=False)
        meta = msgspec.structs.replace(
            meta,
            pane_id=pane.pane_id,
            pane_pid=pane.pid,
            pane_started=started,
            tmux_session=pane.session_id,
            server_pid=pane.server_pid if server else 0,
            server_started=server.started if server else 0.0,
        )
        session_records.write_meta(plan.ref, meta)
        return meta

    def _check_early_end(self, spawned: _Start, seconds: float) -> _Start:
        """Raise LisaError(spawn_early_exit) if the agent itself fails at once.

        A custom command that fails at once has run: its session reports the exit code.
        """
        plan, pane = self._plan, self._pane
        assert pane is not None
        agent, custom = plan.start.agent, plan.start.custom
        end = startup.wait_for_early_end(self._ctx, plan.ref, plan.run_id, seconds)
        if end is None:
            return spawned
        output = startup.read_final_output(self._ctx, plan.server, pane, plan.run_id)
        if end.code == 0 or custom:
            return msgspec.structs.replace(spawned, end=end, output=output)
        last = output.rpartition("\n")[2].strip() or "it printed nothing"
        raise LisaError(
            "spawn_early_exit",
            f"{agent.title or agent.name} ended at once with code {end.code}: {last}",
            session=plan.name,
            exitCode=end.code,
            output=output,
        )

    def _send_prompt(self, spawned: _Start) -> _Start:
        """Send a prompt too long for the command line; the session stays even if it is not accepted."""
        from lisa_py.core.send import send  # noqa: PLC0415 - few prompts are that long

        text = self._plan.start.launch.prompt
        try:
            sent = send.send_payload(self._ctx, self._plan.ref, send.SendPayload(text=text, enter=True))
        except CancellationError:
            raise
        except LisaError as problem:
            warning = f"the prompt is too long for the command line and was not sent: {problem.message}"
            return msgspec.structs.replace(spawned, prompt_sent=False, warnings=(*spawned.warnings, warning))
        return msgspec.structs.replace(spawned, prompt_sent=sent.delivered is True)

    def _undo(self, problem: BaseException) -> None:
        """Remove everything of this attempt except an event."""
        ctx, plan = self._ctx, self._plan
        roots = (self._supervisor,) if self._supervisor else ()
        run = terminate.SessionRun(ref=plan.ref, run_id=plan.run_id, roots=roots)
        _warn_on_error(
            ctx, lambda: oauth_tokens.release(ctx.settings, ctx.clock.now(), plan.run_id) if self._token.id else None
        )
        if self._owns_session():
            _warn_on_error(ctx, lambda: terminate.end_processes(ctx, [run], grace=0.5))
            _warn_on_error(ctx, lambda: plan.server.kill_session(plan.name))
        if plan.former is None:
            _warn_on_error(ctx, lambda: session_folder.remove_contents(plan.ref))
        elif self._kept:
            from lisa_py.core.lifecycle import former_run  # noqa: PLC0415 - as above

            _warn_on_error(ctx, lambda: former_run.restore(plan.ref, self._kept))
        if (made := self._worktree) is not None:
            from lisa_py.core.lifecycle import worktree  # noqa: PLC0415 - few sessions have one

            _warn_on_error(ctx, lambda: worktree.undo_worktree(ctx, made))
        code = problem.code if isinstance(problem, LisaError) else ""
        if code.startswith("spawn_"):
            self._record_event("degraded", "idle", code.replace("_failed", "_error"))

    def _owns_session(self) -> bool:
        """Return True if tmux has a session of this attempt, even if it could not report so at the time."""
        if self._pane is not None or not self._opening:
            return self._pane is not None
        try:
            pane = self._plan.server.find_pane(self._plan.name)
        except LisaError:
            return False
        process = processes.read_process(pane.pid) if pane is not None else None
        return process is not None and self._plan.run_id in process.argv

    def _record_event(self, state: str, status: str, reason: str, **detail: str) -> None:
        ctx, ref = self._ctx, self._plan.ref
        fields = {"type": "lifecycle", "state": state, "status": status, "reason": reason, "detail": detail}

        def add() -> None:
            events.add(ref, ctx.settings, ctx.clock.now(), **fields)

        _warn_on_error(ctx, add)


def uses_pool(plan: SpawnPlan) -> bool:
    """Return True unless the agent takes no token, or the session has a key of its own."""
    return bool(plan.start.agent.oauth_variable) and not plan.start.launch.settings.credentials


def _warn_on_error(ctx: Context, step: Callable[[], object]) -> None:
    """Run a secondary action; its errors are warnings."""
    try:
        step()
    except (LisaError, OSError) as problem:
        ctx.warn(f"observability warning: {problem}")


SECRET_PLACEHOLDER = "[managed-by-lisa]"
"""Placeholder for a secret in the environment."""


def preview_spawn(ctx: Context, request: SpawnRequest) -> SpawnDryRunResult:
    """Check and plan a spawn; raise the errors of the spawn up to its first action."""
    plan = plan_spawn(ctx, request)
    if not request.replace:
        refuse_existing(ctx, plan.ref)
    agent = plan.start.agent
    token = oauth_tokens.preview(ctx.settings, ctx.clock.now()) if uses_pool(plan) else TokenReservation()
    routing = environment.routing_variables(
        plan.ref, agent=agent.name, mode=plan.mode, run_id=plan.run_id, socket=plan.server.socket
    )
    given = plan.start.launch
    names = [*(given.settings.environment or ()), *given.secrets, *([agent.oauth_variable] if token.id else [])]
    secret = dict.fromkeys(names, SECRET_PLACEHOLDER)
    command = startup.supervisor_command(plan.ref, plan.run_id, plan.mode, ctx.settings.heartbeat_stale_seconds)
    shown = launch.show_launch(ctx, plan.start, plan.folder)
    return SpawnDryRunResult(
        session=plan.name,
        agent=agent.name,
        mode=plan.mode,
        lane=plan.lane,
        model=plan.start.launch.model,
        nested_policy=plan.start.nested_policy,
        nesting_intent=plan.start.nesting_intent,
        run_id=plan.run_id,
        project_root=plan.ref.project.root,
        folder=plan.folder if plan.worktree else UNSET,
        branch=plan.worktree.worktree.branch if plan.worktree else UNSET,
        command=shown.command,
        startup_command=" ".join(quote(word) for word in command),
        socket_path=plan.server.socket,
        width=plan.width,
        height=plan.height,
        env={**secret, **routing},
        parent_session=plan.parent or UNSET,
        oauth_token_id=token.id or UNSET,
        oauth_warning=token.warning or UNSET,
        objective=contract_objective.from_record(plan.objective),
        nested_detection=plan.start.effective_detection(),
        warnings=shown.warnings or UNSET,
        notes=shown.notes or UNSET,
    )
