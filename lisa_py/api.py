"""Python library: sessions of agents as objects, on the same core as the command line.

    >>> from lisa_py import Lisa
    >>> lisa = Lisa(project)
    >>> session = lisa.spawn("[say hello] please", agent="scripted")
    >>> outcome = session.wait()
    >>> outcome.final_state, outcome.status.waiting_for
    ('waiting_input', 'prompt')
    >>> session.messages()[-1].text
    'hello'
    >>> session.send("[say good bye] and thanks").delivered
    True
    >>> for event in session.monitor():
    ...     state = event.status.session_state
    >>> state, event.reason
    ('waiting_input', 'waiting_input')
    >>> session.capture().text.splitlines()[-1]
    'good bye'
    >>> [each.name == session.name for each in lisa.sessions()]
    [True]
    >>> session.kill().found
    True
    >>> session.exists()
    False

Failures are a `LisaError` whose `code` is the `errorCode` of the command line; an argument that it would refuse is one.

    >>> lisa.session("lisa-absent").send("hello")
    Traceback (most recent call last):
    lisa_py.contract.errors.LisaError: session not found: lisa-absent (lisa session list shows the sessions)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.arguments import check_arguments
from lisa_py.contract.command import Flag
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.live import LiveFrame
from lisa_py.contract.notices import NOTICE_KINDS, NoticeKind, SessionNotice
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_object import SessionObject
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.contract.status import Status
from lisa_py.contract.usage import UsageSum
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover, list_items, resume_fleet, session_objects
from lisa_py.core.fleet.list_items import LostSession
from lisa_py.core.fleet.resume_fleet import FleetResumeReport
from lisa_py.core.fleet.watch import FleetWatch
from lisa_py.core.handoff.handoff import Handoff, HandoffRequest
from lisa_py.core.handoff.handoff import build as build_handoff
from lisa_py.core.handoff.packet import Packet, PacketRequest
from lisa_py.core.handoff.packet import build as build_packet
from lisa_py.core.lifecycle import launch, worktree_changes
from lisa_py.core.lifecycle.fork import ForkRequest, fork_session
from lisa_py.core.lifecycle.kill import EndRequest, KillAllResult, KillResult, kill_all_sessions, kill_session
from lisa_py.core.lifecycle.resume import ResumedSession, ResumeRequest, resume_session
from lisa_py.core.lifecycle.spawn import spawn_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.worktree_changes import DiffSummary, MergeRequest, MergeSummary
from lisa_py.core.lifecycle.worktree_request import WorktreeRequest
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.ask import AskRequest, AskResult, ask_session
from lisa_py.core.live.broadcast import FeedBroadcast
from lisa_py.core.outbox import queue as outbox
from lisa_py.core.outbox.queue import OutboxRequest, OutboxSummary
from lisa_py.core.output import pane_text
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest, CaptureResult
from lisa_py.core.output.conversation import Message
from lisa_py.core.output.events import EventReader
from lisa_py.core.send.result import SendResult
from lisa_py.core.send.send import SendPayload, send_payload
from lisa_py.core.status import status_reader
from lisa_py.core.usage import hourly, sums
from lisa_py.core.wait.monitor import MonitorSummary, Poll, iterate_polls, run_monitor
from lisa_py.core.wait.stop_rules import StopRules, check_rules
from lisa_py.host import env
from lisa_py.host.cancellation import Cancellation
from lisa_py.store import session_index
from lisa_py.store.paths import SessionRef

if TYPE_CHECKING:
    import libtmux

Mode = Literal["interactive", "exec"]
Offset = Annotated[int, Flag(help="position in the output", minimum=0)]
Seconds = Annotated[float, Flag(help="seconds, also parts of one", minimum=0)]


class Lisa:
    """The sessions of one project on this machine."""

    def __init__(
        self,
        project_root: str = "",
        *,
        environ: Mapping[str, str] | None = None,
        warn: Callable[[str], None] = lambda line: None,
        cancellation: Cancellation | None = None,
    ) -> None:
        """Open a project; the current folder if `project_root` is empty.

        `environ` replaces the environment of the process for the settings of lisa and the sessions; `warn` receives
        warnings. After `cancellation.cancel()`, in any thread, every wait raises CancellationError. Raise
        LisaError(invalid_project_root).
        """
        settings = env.read_settings(environ)
        self._ctx = Context(settings, cwd=str(project_root), warn=warn, cancellation=cancellation)
        self._project = self._ctx.existing_project(str(project_root))

    @property
    def project_root(self) -> str:
        """Absolute path, symlinks resolved."""
        return self._project.root

    @check_arguments(mode=flags.Mode, width=flags.Columns, height=flags.Rows, name=("session_name", str))
    def spawn(
        self,
        prompt: str | None = None,
        *,
        agent: str | None = None,
        mode: Mode | None = None,
        name: str = "",
        command: str = "",
        agent_args: str = "",
        model: str | None = None,
        lane: str = "",
        nested_policy: str | None = None,
        nesting_intent: str | None = None,
        skip_permissions: bool = True,
        trust: bool = False,
        settings: SessionSettings | None = None,
        worktree: bool | WorktreeRequest = False,
        width: int = 220,
        height: int = 60,
    ) -> Session:
        """Start an agent (or, with `command`, any program) and return once it runs.

        Values of None come from the lane, else from the defaults; `settings` are those of a definition. `name` must
        begin with `lisa-`; without one a name is generated. `worktree` gives the session a git worktree of its own;
        a WorktreeRequest has its name and base. Raise LisaError, among others: session_already_exists,
        invalid_session_name, invalid_agent, agent_not_installed, spawn_early_exit.
        """
        words = {
            "agent": agent,
            "mode": mode,
            "prompt": prompt,
            "model": model,
            "nested_policy": nested_policy,
            "nesting_intent": nesting_intent,
        }
        given = {word: value for word, value in words.items() if value is not None}
        wanted: dict[str, Any] = {"agent": agents.DEFAULT, **given}
        request = SpawnRequest(
            launch=launch.LaunchRequest(
                **wanted, command=command, agent_args=agent_args, skip_permissions=skip_permissions, trust=trust
            ),
            session=name,
            project_root=self._project.root,
            lane=lane,
            given=frozenset(given),
            settings=settings or SessionSettings(),
            worktree=WorktreeRequest() if worktree is True else worktree or None,
            width=width,
            height=height,
        )
        spawned = spawn_session(self._ctx, request)
        if spawned.oauth_warning:
            self._ctx.warn(spawned.oauth_warning)
        for warning in spawned.warnings or ():
            self._ctx.warn(warning)
        return self.session(spawned.session)

    @check_arguments(name=("session_name", str))
    def session(self, name: str) -> Session:
        """Return a handle on the session of this name, which need not exist. Raise LisaError(invalid_session_name)."""
        return Session(self._ctx, self._ctx.ref(name, self._project.root))

    def lost(self) -> tuple[LostSession, ...]:
        """Return the sessions whose agents were ended with tmux or the machine; `sessions` does not have them."""
        return list_items.find_lost_sessions(self._ctx, session_index.index_project(self._project).sessions)

    @check_arguments()
    def resume_all(self, prompt: str = "") -> FleetResumeReport:
        """Bring back all lost sessions, each on its own conversation; `left` of the report has the failures."""
        return resume_fleet.resume_all(self._ctx, self._project, ResumeRequest(prompt=prompt))

    @check_arguments(kinds=("on", str))
    def watch(self, *kinds: NoticeKind, all_projects: bool = False) -> Iterator[SessionNotice]:
        """Yield a notice of each session that asks, fails, is done, lost or at a limit; `kinds` selects some of these.

        Leaving the loop ends the watch. Raise LisaError(session_list_failed), CancellationError.
        """
        watched = FleetWatch(self._ctx, self._project, kinds=kinds or NOTICE_KINDS, all_projects=all_projects)
        for step in watched.follow():
            yield from step.notices

    @check_arguments(hours=flags.Hours)
    def usage(
        self, by: Literal["session", "lane", "model", "day", "project"] = "session", *, hours: int = 0
    ) -> tuple[tuple[UsageSum, ...], UsageSum]:
        """Return the sums of tokens and dollars of the project's sessions, and the total; 0 hours: of all time."""
        hourly.collect(self._ctx, self._project)
        return sums.sum_by(hourly.read_selection(self._ctx, self._project, hours=hours), by)

    def sessions(self) -> list[Session]:
        """Return all sessions of tmux by name, including ended ones that are kept.

        Raise LisaError(session_list_failed) if tmux cannot be queried.
        """
        return [Session(self._ctx, ref) for ref in discover.find_live_sessions(self._ctx, self._project).refs]

    def statuses(self) -> dict[str, Status]:
        """Return the status of every session, read at once: much cheaper than one `status` after the other."""
        refs = discover.find_live_sessions(self._ctx, self._project).refs
        return {
            name: status_reader.normalise_status(status)
            for name, status in status_reader.read_statuses(self._ctx, refs).items()
        }

    def kill_all(self) -> KillAllResult:
        """End every session of the project."""
        return kill_all_sessions(self._ctx, self._project)


class Session:
    """A handle on one session; it holds no state and stays valid when the session ends.

    As a context manager it kills the session at the end of the block.
    """

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref

    def __repr__(self) -> str:
        return f"<Session {self.name} in {self.project_root}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def name(self) -> str:
        return self._ref.session

    @property
    def project_root(self) -> str:
        return self._ref.project.root

    @property
    def tmux(self) -> libtmux.Session:
        """Return the session as a libtmux object. Raise LisaError(session_not_found)."""
        pane = self._ctx.find_pane(self._ref)
        found: libtmux.Session | None = None
        if pane is not None:
            sessions = self._ctx.server(self._ref).as_libtmux().sessions
            found = sessions.get(default=None, session_id=pane.session_id)
        if found is None:
            raise session_not_found(self.name, self.project_root)
        return found

    @property
    def meta(self) -> SessionMeta:
        """Return the metadata written at spawn; empty except for the name if there is none."""
        return pane_text.read_meta_or_default(self._ref)

    @check_arguments()
    def resume(self, prompt: str = "", *, rerun: bool = False) -> ResumedSession:
        """Start the ended agent again on the same conversation; a custom command only with `rerun`.

        Raise LisaError, among others: session_running, not_resumable, conversation_missing, folder_missing.
        """
        return resume_session(self._ctx, self._ref, ResumeRequest(prompt=prompt, rerun=rerun))

    @check_arguments()
    def fork(self, name: str = "", prompt: str = "", *, skip_permissions: bool = True) -> Session:
        """Start another session on a copy of the conversation; this one may be running idle, ended or killed.

        Raise LisaError, among others: session_not_found, session_not_forkable, session_already_exists.
        """
        request = ForkRequest(name=name, prompt=prompt, skip_permissions=skip_permissions)
        spawned = fork_session(self._ctx, self._find_record(), request).spawned
        return Session(self._ctx, SessionRef(self._ref.project, spawned.session))

    @check_arguments()
    def diff(self, *, patch: bool = False) -> DiffSummary:
        """Return all changes in the worktree of the session since its base, also after the session.

        Raise LisaError: session_not_found, no_worktree, git_failed.
        """
        return worktree_changes.compare_worktree(self._ctx, self._find_record(), patch=patch)

    @check_arguments()
    def merge(self, into: str = "", *, squash: bool = False, keep: bool = False) -> MergeSummary:
        """Merge the commits of the session's worktree into a branch (its base), and remove it unless `keep`.

        Raise LisaError, among others: no_worktree, worktree_dirty, merge_target_dirty, merge_conflict.
        """
        request = MergeRequest(into=into, squash=squash, keep=keep)
        return worktree_changes.merge_worktree(self._ctx, self._find_record(), request)

    def exists(self) -> bool:
        """Return True if tmux has the session, running or ended. Raise TmuxUnavailable if that cannot be determined."""
        return self._ctx.find_pane(self._ref) is not None

    def status(self) -> Status:
        """Return the current status; a session that is gone is a status, not an error."""
        return status_reader.normalise_status(status_reader.read_status(self._ctx, self._ref))

    @check_arguments(
        timeout=("timeout_seconds", Seconds),
        until=("until_state", flags.UntilState),
        marker=("until_marker", str),
        path=("until_jsonpath", str),
    )
    def wait(
        self,
        timeout: float | None = None,
        *,
        until: str = "",
        marker: str = "",
        path: str = "",
        waiting: bool = True,
        turn_complete: bool = False,
    ) -> MonitorSummary:
        """Wait until the session has ended, failed, or (unless `waiting` is False) waits for input.

        `until` names a session state, `marker` a text in the output, `path` a JSON path into the status; each
        of them ends the wait. `turn_complete` requires the end of a turn in the transcript. Without a timeout (seconds)
        it waits without limit. `exit_code` of the outcome is 0 if the requested condition was met.
        """
        rules = _build_rules(timeout, until, marker, path, waiting, turn_complete)
        return run_monitor(self._ctx, self._ref, rules)

    @check_arguments(
        every=("poll_interval", Seconds),
        timeout=("timeout_seconds", Seconds),
        until=("until_state", flags.UntilState),
        marker=("until_marker", str),
        path=("until_jsonpath", str),
    )
    def monitor(
        self,
        timeout: float | None = None,
        *,
        every: float = 30.0,
        until: str = "",
        marker: str = "",
        path: str = "",
        waiting: bool = True,
        turn_complete: bool = False,
    ) -> Iterator[Poll | MonitorSummary]:
        """Wait step by step: yield a Poll at each change and at least every `every` seconds, finally the outcome.

        Both have a `status`. Leaving the loop ends the monitoring; the session keeps running.
        """
        rules = _build_rules(timeout, until, marker, path, waiting, turn_complete, every)
        polls = iterate_polls(self._ctx, self._ref, rules)
        try:
            while True:
                poll = next(polls)
                if poll.reported:
                    yield poll
        except StopIteration as end:
            yield end.value
        finally:
            polls.close()

    @check_arguments()
    def stream(self, *, since: str = "", history: bool = True) -> Iterator[LiveFrame]:
        """Yield the frames of the conversation: the recorded ones, then every further one until the session ends.

        `since` is the `cursor` of the last known frame. Leaving the loop does not affect the session. Raise LisaError,
        among others: invalid_cursor.
        """
        with open_feed(self._ctx, self._find_record(), since) as feed:
            for frame in feed.history():
                if history:
                    yield frame
            yield from feed.follow()

    def describe(self) -> SessionObject:
        """Return id, model, turns, tokens, cost, limits and end of the session, also after a kill.

        Raise LisaError, among others: session_not_found.
        """
        return session_objects.describe_session(self._ctx, self._find_record())

    def _find_record(self) -> SessionRef:
        """Return the session, or its archive after a kill."""
        return self._ctx.record_ref(self._ref.session, self._ref.project.root)

    def broadcast(self) -> FeedBroadcast:
        """Follow the session once for several readers in this process: `with session.broadcast() as feed:`.

        `feed.subscribe(since)` returns one reader, an iterator over frames with their JSON. Raise LisaError, among
        others: session_not_found.
        """
        return FeedBroadcast(self._ctx, self._find_record())

    @check_arguments()
    def history(self, *, since: str = "") -> tuple[LiveFrame, ...]:
        """Return the recorded frames of all conversations of the session, after a cursor."""
        with open_feed(self._ctx, self._find_record(), since) as feed:
            return tuple(feed.history())

    @check_arguments()
    def send(self, text: str, *, enter: bool = True, force: bool = False, replace_draft: bool = False) -> SendResult:
        """Type a text and submit it (unless `enter` is False); return once its acceptance was observed.

        `replace_draft` removes a draft from the input box first and returns it in `replaced_draft`. Raise LisaError,
        among others: session_not_found, agent_not_running, input_not_empty, agent_waiting_dialog and input_not_visible
        (`force` sends all the same).
        """
        payload = SendPayload(text=text, enter=enter, force=force, replace_draft=replace_draft)
        return send_payload(self._ctx, self._ref, payload)

    @check_arguments(timeout_seconds=Seconds)
    def ask(self, text: str, *, timeout_seconds: float = 0, replace_draft: bool = False) -> AskResult:
        """Send a prompt and return the reply to exactly this prompt; 0 seconds: no limit.

        `ended` of the result says how the turn ended; a dialog ends the call, too. Raise LisaError as `send`, and
        no_conversation for a command.
        """
        request = AskRequest(text=text, timeout_seconds=timeout_seconds, replace_draft=replace_draft)
        return ask_session(self._ctx, self._ref, request)

    @check_arguments(expire_seconds=flags.ExpireSeconds)
    def queue(
        self,
        text: str,
        *,
        when: Literal["now", "idle", "turn-end"] = "idle",
        message_id: str = "",
        expire_seconds: int = 0,
        verbatim: bool = False,
    ) -> OutboxSummary:
        """Put a text into the outbox of the session and return at once; it is delivered once, after those before it.

        A `message_id` that the outbox has is not queued again. Raise LisaError, among others: session_not_found,
        agent_not_running, outbox_full, outbox_id_taken.
        """
        request = OutboxRequest(text=text, when=when, id=message_id, expire_seconds=expire_seconds, verbatim=verbatim)
        return outbox.add_text(self._ctx, self._ref, request)

    def outbox(self) -> tuple[OutboxSummary, ...]:
        """Return the texts of the outbox and their states, oldest first."""
        return outbox.list_texts(self._ctx, self._ref)

    @check_arguments()
    def withdraw(self, message_id: str) -> OutboxSummary:
        """Take back a text that waits. Raise LisaError: outbox_text_not_found, outbox_text_sent."""
        return outbox.withdraw_text(self._ctx, self._ref, message_id)

    @check_arguments(names=("keys", str))
    def keys(self, *names: str) -> SendResult:
        """Press keys by their tmux names, as in `session.keys("C-c", "Enter")`."""
        return send_payload(self._ctx, self._ref, SendPayload(keys=names))

    @check_arguments(word=("answer", str))
    def answer(self, word: str) -> SendResult:
        """Answer the open dialog: yes, no, always, or the number of a choice.

        Raise LisaError, among others: no_dialog, answer_not_offered.
        """
        return send_payload(self._ctx, self._ref, SendPayload(answer=word))

    @check_arguments(
        lines=flags.Lines, token_budget=flags.TokenBudget, since=("delta_from", str), summary=("summary_style", str)
    )
    def capture(
        self,
        *,
        source: Literal["auto", "transcript", "pane"] = "auto",
        lines: int | None = None,
        since: int | str | None = None,
        cursor_file: str = "",
        markers: Sequence[str] = (),
        summary: Literal["", "terse", "ops", "debug"] = "",
        token_budget: int = 320,
        strip_noise: bool = True,
    ) -> CaptureResult:
        """Return the output: `text`, and messages, tool calls and errors if the transcript was read.

        `since` is an offset (`progress.next` of an earlier capture of the same source) or a time, `@unix` or RFC 3339;
        a cursor file stores it between processes.
        """
        request = CaptureRequest(
            source=source,
            lines=lines if lines is not None else 200,
            limited=lines is not None,
            since="" if since is None else str(since),
            cursor_file=cursor_file,
            markers=tuple(markers),
            summary=summary,
            token_budget=token_budget,
            strip_noise=strip_noise,
        )
        return capture_session(self._ctx, self._ref, request)

    def messages(self) -> tuple[Message, ...]:
        """Return the conversation so far from the transcript, of a long one its newest 4 MiB; empty without one."""
        try:
            talk = self.capture(source="transcript").excerpt
        except LisaError as problem:
            if problem.code == "transcript_unavailable":
                return ()
            raise
        return talk.messages if talk is not None else ()

    @check_arguments(events=flags.Events, since=("delta_from", Offset))
    def handoff(
        self, *, schema: Literal["v1", "v2", "v3", "v4"] = "v4", events: int = 8, since: int | None = None
    ) -> Handoff:
        """Return state, suggested next step and events; `since` is `next_delta_offset` of an earlier one."""
        reader = EventReader(self._ctx, since, "")
        return build_handoff(self._ctx, self._ref, HandoffRequest(schema=schema, events=events), reader)

    @check_arguments(lines=flags.Lines, events=flags.Events, token_budget=flags.TokenBudget)
    def packet(self, *, lines: int = 120, events: int = 8, token_budget: int = 320) -> Packet:
        """Return state, a summary of the output and the newest events."""
        request = PacketRequest(lines=lines, events=events, token_budget=token_budget)
        return build_packet(self._ctx, self._ref, request, EventReader(self._ctx, None, ""))

    @check_arguments()
    def kill(self, *, worktree: Literal["remove", "keep", "discard"] = "remove") -> KillResult:
        """End the session with all its processes and child sessions, and remove its records.

        Its worktree goes if nothing in it can be lost; `discard` also gives up what is not committed.
        """
        return kill_session(self._ctx, self._ref, request=EndRequest(worktree=worktree))


def _build_rules(
    timeout: float | None,
    until: str,
    marker: str,
    path: str,
    waiting: bool,
    turn_complete: bool,
    every: float = 30.0,
) -> StopRules:
    rules = StopRules(
        poll_interval=every,
        counts_polls=False,
        timeout_seconds=timeout or 0.0,
        stop_on_waiting=waiting,
        waiting_requires_turn_complete=turn_complete,
        until_marker=marker,
        until_state=until,
    )
    return check_rules(rules, path=path)
