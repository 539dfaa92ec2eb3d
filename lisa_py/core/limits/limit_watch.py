"""Watch one session until it ends, and end it at a limit."""

from __future__ import annotations

import contextlib

from msgspec import structs

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill
from lisa_py.core.limits import continuation
from lisa_py.core.limits.unanswered import UnansweredDialogs
from lisa_py.core.live.conversations import find_transcripts
from lisa_py.core.send import interrupt
from lisa_py.core.status import agent_reports
from lisa_py.core.status.status_reader import read_status, read_with_evidence
from lisa_py.core.usage import hourly
from lisa_py.core.usage import limits as usage_limits
from lisa_py.core.usage.limits import WARNING_SHARE, LimitUse
from lisa_py.core.usage.usage_reader import UsageReader
from lisa_py.core.wait.waiter import IGNORED_FILES
from lisa_py.host import files, processes
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.file_events_many import GroupWatcher, open_watcher
from lisa_py.store import events, limit_records, session_records, usage_state
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.limit_records import LimitNotice, LimitRecord
from lisa_py.store.paths import SessionRef

OWN_FILES = (
    usage_state.FILE,
    limit_records.PROGRESS_FILE,
    limit_records.PID_FILE,
    "state.json",
    "meta.json",
    "record.json",
)
"""Files of the session folder whose change does not concern the limits."""
PAUSE_SECONDS = 0.1
"""Pause after a check, so that a burst of records causes few checks."""
SEARCH_SECONDS = 2.0
"""Interval of checks until the agent has a transcript, whose folder may not exist."""
SETTLE_SECONDS = 0.5
"""Interval of checks of a one-shot session whose turn has ended, until it waits for input."""
READY_SECONDS = 60.0
"""Longest time until the agent reports or shows something."""
IDLE_SECONDS = 86_400.0
"""Longest time between two checks."""
RETRY_SECONDS = 5.0
"""Pause before another try to end the session."""
_ONE_SHOT_ENDS = {
    "completed": LimitUse(
        limit="one_shot",
        share=1.0,
        message="the first turn is completed",
        subtype="one_shot_completed",
        end_detail="one_shot",
    ),
    "failed": LimitUse(
        limit="one_shot",
        share=1.0,
        message="the first turn failed",
        subtype="one_shot_failed",
        end_reason="failed",
        end_detail="one_shot",
    ),
}
_STARTUP_END = LimitUse(
    limit="startup",
    share=1.0,
    message=f"the agent was not ready {READY_SECONDS:.0f} seconds after its start",
    subtype="startup_timeout",
    end_reason="startup_timeout",
    end_detail="",
)
_USAGE_LIMIT_END = LimitUse(
    limit="usage_limit",
    share=1.0,
    message="the agent is at its usage limit",
    subtype="usage_limit_reached",
    end_reason="failed",
    end_detail="usage_limit",
)
FAILED_LOOKS = 10
"""Looks for a usage limit after a turn has failed."""
_SILENT_STATES = ("just_started", "in_progress", "stuck", "degraded")


class LimitWatch:
    """The limits of one run of a session."""

    def __init__(self, ctx: Context, ref: SessionRef, limits: LimitRecord) -> None:
        self._ctx = ctx
        self._ref = ref
        self._limits = limits
        self._reader = UsageReader(ctx, ref)
        self._dialogs = UnansweredDialogs(ctx, ref) if limits.one_shot else None
        self._progress = limit_records.read_progress(ref, limits.run_id)
        self._paths: tuple[str, ...] = ()
        self._watched: tuple[str, ...] = ()
        self._hooks_size = -1
        self._root = 0
        self._failed_looks = 0
        """Looks at the status since the newest turn failed."""
        self._is_ready = False
        """True once the agent has started, or shows a dialog that a person is to answer."""

    def run(self) -> None:
        """Enforce the limits until the session has ended."""
        watcher = open_watcher((*IGNORED_FILES, *OWN_FILES))
        try:
            while self._is_running():
                self._follow(watcher)
                reached = self.check()
                self._follow(watcher)
                if reached is not None and self._end(reached):
                    return
                self._ctx.clock.sleep(PAUSE_SECONDS)
                watcher.wait(RETRY_SECONDS if reached is not None else self._next_check())
        finally:
            watcher.close()

    def _follow(self, watcher: GroupWatcher) -> None:
        helpers = [place.path for place in self._reader.state.transcripts if place.helper]
        watcher.follow("session", (self._ref.folder, *self._watched, *helpers), [self._root] if self._root else [])

    def _is_running(self) -> bool:
        """Return True until this run of the session has ended; find its supervisor."""
        ref, run_id = self._ref, self._limits.run_id
        try:
            start, end = session_records.read_start(ref), session_records.read_end(ref)
        except (UnreadableRecord, OSError):
            return False
        if (end is not None and end.run_id == run_id) or limit_records.read_limits(ref, run_id) is None:
            return False
        if start is None or start[0] != run_id:
            return self._elapsed() < usage_limits.START_SECONDS
        self._root = start[1]
        return processes.read_process(self._root, argv=False) is not None

    def _read_meta(self) -> SessionMeta:
        return self._ctx.read_meta(self._ref) or SessionMeta(session=self._ref.session)

    # -- checking ----------------------------------------------------------------------------------------------

    def check(self) -> LimitUse | None:
        """Count, warn, and return the limit that is reached."""
        self._find_transcripts()
        self._reader.count(self._paths)
        hourly.log_ended_hours(self._ctx, self._ref, self._reader)
        used = self._reader.summarize()
        found = usage_limits.compare(self._limits, used, self._elapsed())
        for use in found:
            if use.share >= WARNING_SHARE and not use.is_reached:
                self._warn(use)
        if self._dialogs is not None and not self._has_one_shot_ended():
            self._dialogs.check()
        reached = next((use for use in found if use.is_reached), None)
        return reached or self._check_usage_limit() or self._check_one_shot() or self._check_ready()

    def _find_transcripts(self) -> None:
        """Find the conversations again after a hook; before the first one each time."""
        size = files.size(self._ref.hooks)
        if self._paths and size == self._hooks_size:
            return
        self._hooks_size = size
        meta = self._read_meta()
        agent = Agent() if meta.custom_command or meta.agent not in agents.names() else agents.get(meta.agent)
        self._reader.agent = agent
        view = agent_reports.build_view(
            self._ctx, self._ref, agent, meta, tree=processes.read_tree(self._root) if self._root else ()
        )
        with contextlib.suppress(OSError):
            binding = agent.bind(view)
            self._paths = find_transcripts(self._ctx, self._ref, agent, binding)
            self._watched = (*agent.watch_paths(view, binding), *self._paths)

    def _elapsed(self) -> float:
        return self._ctx.clock.monotonic() - self._limits.started_monotonic

    def _next_check(self) -> float:
        """Return the seconds until something may change without an event."""
        waits = [IDLE_SECONDS]
        if self._limits.ttl_seconds:
            left = [share * self._limits.ttl_seconds - self._elapsed() for share in (WARNING_SHARE, 1.0)]
            waits += [max(0.0, seconds) for seconds in left if seconds > -PAUSE_SECONDS]
        if not self._is_ready:
            waits.append(max(0.0, READY_SECONDS - self._elapsed()))
        if self._reader.agent.name and not self._paths:
            waits.append(SEARCH_SECONDS)
        if self._limits.on_limit and 0 < self._failed_looks < FAILED_LOOKS:
            waits.append(SETTLE_SECONDS)  # the status follows the record of the failed turn
        if self._has_one_shot_ended():
            waits.append(SETTLE_SECONDS)
        elif self._dialogs is not None:
            waits.append(self._dialogs.next_check())
        if not self._root:
            waits.append(SETTLE_SECONDS)
        return min(waits)

    def _check_one_shot(self) -> LimitUse | None:
        """Return the end of a one-shot session: its turn has ended, and the agent will not continue by itself."""
        if not self._has_one_shot_ended():
            return None
        status = read_status(self._ctx, self._ref)
        is_idle = status.session_state == "waiting_input" and status.waiting_for in ("", "prompt", "error", "limit")
        return _ONE_SHOT_ENDS.get(self._reader.state.last_turn_end) if is_idle else None

    def _check_usage_limit(self) -> LimitUse | None:
        """At a usage limit, queue what continues the turn, or return the end of the session."""
        limits = limit_records.read_limits(self._ref, self._limits.run_id)
        self._limits = limits or self._limits
        is_failed = self._reader.state.last_turn_end == "failed"
        if not self._limits.on_limit or not is_failed:
            self._failed_looks = 0
            return None
        self._failed_looks += 1
        status = read_status(self._ctx, self._ref)
        if status.waiting_for != "limit":
            return None
        self._failed_looks = FAILED_LOOKS
        if self._limits.on_limit == "stop":
            details = continuation.describe_limit(status)
            message = "the agent is at its usage limit" + (f" ({details})" if details else "")
            return structs.replace(_USAGE_LIMIT_END, message=message)
        self._queue_continuation(status)
        return None

    def _is_plan_changed(self) -> bool:
        limits = limit_records.read_limits(self._ref, self._limits.run_id)
        return limits is not None and limits.on_limit != self._limits.on_limit

    def _queue_continuation(self, status: Status) -> None:
        """Queue the text for the end of the limit; say so once if its time is unknown."""
        try:
            queued = continuation.queue_continuation(self._ctx, self._ref)
            if self._is_plan_changed():  # after this process had read it: that change found nothing to withdraw
                continuation.withdraw_continuations(self._ctx, self._ref)
                return
        except LisaError:
            self._failed_looks = 0  # tried again
            return
        name = queued.id if queued is not None else "usage_limit"
        if any(notice.limit == name for notice in self._progress.notices):
            return
        if queued is None:
            use = structs.replace(_USAGE_LIMIT_END, limit=name)
            self._add_notice(use, "limit_end_unknown", "usage limit: the agent names no time of its end; nothing waits")
        else:
            use = structs.replace(_USAGE_LIMIT_END, limit=name)
            when = format_rfc3339(queued.due_at)
            self._add_notice(use, "limit_wait", f"usage limit: the turn continues at {when}")

    def _check_ready(self) -> LimitUse | None:
        """Return the end of a session whose agent has reported nothing in the time for its start."""
        if self._is_ready or self._elapsed() < READY_SECONDS:
            return None
        evidence, status = read_with_evidence(self._ctx, self._ref, screen=True)
        is_silent = evidence.awaits_first_report and not self._paths and status.session_state in _SILENT_STATES
        self._is_ready = not is_silent
        return _STARTUP_END if is_silent else None

    def _has_one_shot_ended(self) -> bool:
        state = self._reader.state
        return self._limits.one_shot and state.turns > 0 and state.last_turn_end in _ONE_SHOT_ENDS

    # -- reporting ---------------------------------------------------------------------------------------------

    def _warn(self, use: LimitUse) -> None:
        if not any(notice.limit == use.limit for notice in self._progress.notices):
            self._add_notice(use, "budget_warning", f"{use.limit}: {use.message} are used")

    def _add_notice(self, use: LimitUse, subtype: str, message: str) -> None:
        now = self._ctx.clock.now()
        self._progress.notices.append(LimitNotice(limit=use.limit, at=now, subtype=subtype, message=message))
        self._save()
        with contextlib.suppress(LisaError):
            events.add(
                self._ref,
                self._ctx.settings,
                now,
                type="limit",
                reason=subtype,
                detail={"limit": use.limit, "message": message},
            )

    def _save(self) -> None:
        """Write the progress; on a full disk it stays in memory."""
        with contextlib.suppress(LisaError):
            limit_records.write_progress(self._ref, self._progress)

    # -- ending ------------------------------------------------------------------------------------------------

    def _end(self, use: LimitUse) -> bool:
        """Interrupt and end the session; return False if it could not be ended."""
        if not self._progress.reached:
            self._progress.reached = use.limit
            self._add_notice(use, use.subtype, f"{use.limit}: {use.message}; the session ends")
        if use not in (*_ONE_SHOT_ENDS.values(), _STARTUP_END):
            with contextlib.suppress(LisaError):
                interrupt.interrupt_turn(self._ctx, self._ref)
        try:
            ended = kill.end_session(self._ctx, self._ref, use.end_reason, use.end_detail)
        except LisaError:
            return False
        return not ended.errors
