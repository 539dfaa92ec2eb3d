"""The library: sessions of agents as Python objects, on the same core as the command line.

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
    >>> session.kill().target.found
    True
    >>> session.exists()
    False

What goes wrong is a `LisaError`, whose `code` is the `errorCode` of the command line.

    >>> lisa.session("lisa-nobody").send("hello")
    Traceback (most recent call last):
    lisa_py.contract.errors.LisaError: session not found: lisa-nobody (lisa session list shows what is there)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover
from lisa_py.core.handoff import handoff as handing
from lisa_py.core.handoff import packet as packing
from lisa_py.core.handoff.handoff import Handoff, HandoffRequest
from lisa_py.core.handoff.packet import Packet, PacketRequest
from lisa_py.core.lifecycle import kill as killing
from lisa_py.core.lifecycle import launch
from lisa_py.core.lifecycle import spawn as spawning
from lisa_py.core.lifecycle.kill import KillAllReport, KillReport
from lisa_py.core.lifecycle.spawn import SpawnRequest
from lisa_py.core.output import capture as capturing
from lisa_py.core.output import pane_text
from lisa_py.core.output.capture_request import CaptureRequest, CaptureResult
from lisa_py.core.output.conversation import Message
from lisa_py.core.output.events import EventReader
from lisa_py.core.send import send as sending
from lisa_py.core.send.send import SendPayload, SendResult
from lisa_py.core.status import status_reader
from lisa_py.core.wait import monitor as watching
from lisa_py.core.wait.monitor import MonitorSummary, Poll
from lisa_py.core.wait.stop_rules import StopRules, check_rules
from lisa_py.host import env
from lisa_py.store.paths import SessionRef

Mode = Literal["interactive", "exec"]


class Lisa:
    """The sessions of one project on this machine."""

    def __init__(
        self,
        project_root: str = "",
        *,
        environ: Mapping[str, str] | None = None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`project_root` is the current folder when empty. `environ` replaces the process's environment, for lisa's
        own settings and for the sessions; `warn` is told what did not stop a call.

        Raises LisaError(invalid_project_root).
        """
        settings = env.read_settings(environ)
        self._ctx = (
            Context(settings, cwd=str(project_root), warn=warn) if project_root else Context(settings, warn=warn)
        )
        self._project = self._ctx.existing_project(str(project_root))

    @property
    def project_root(self) -> str:
        """Absolute, symlinks resolved."""
        return self._project.root

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
        width: int = 220,
        height: int = 60,
    ) -> Session:
        """Start an agent (or, with `command`, any program) and return once it runs.

        What is None is filled by the lane, else by the usual default. `name` must begin with `lisa-`; without one a
        name is made. Raises LisaError, among others: session_already_exists, invalid_session_name, invalid_agent,
        agent_not_installed, spawn_early_exit.
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
            width=width,
            height=height,
        )
        spawned = spawning.spawn_session(self._ctx, request)
        for warning in filter(None, (spawned.oauth_warning, *spawned.warnings)):
            self._ctx.warn(warning)
        return Session(self._ctx, spawned.spawn_plan.ref)

    def session(self, name: str) -> Session:
        """The session of this name, whether it is there or not. Raises LisaError(invalid_session_name)."""
        return Session(self._ctx, self._ctx.ref(name, self._project.root))

    def sessions(self) -> list[Session]:
        """All sessions tmux has, ended ones that are still kept included, by name.

        Raises LisaError(session_list_failed) when tmux cannot be asked.
        """
        return [Session(self._ctx, ref) for ref in discover.find_live_sessions(self._ctx, self._project).refs]

    def statuses(self) -> dict[str, Status]:
        """What each session is doing, read in one go: much cheaper than one `status` after the other."""
        refs = discover.find_live_sessions(self._ctx, self._project).refs
        return {
            name: status_reader.normalise_status(status)
            for name, status in status_reader.read_statuses(self._ctx, refs).items()
        }

    def kill_all(self) -> KillAllReport:
        """End every session of the project."""
        return killing.kill_all_sessions(self._ctx, self._project)


class Session:
    """A handle on one session; it holds no state of its own and stays valid when the session ends.

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
    def meta(self) -> SessionMeta:
        """What was noted when it was spawned; empty but for the name when nothing was."""
        return pane_text.read_meta_or_default(self._ref)

    def exists(self) -> bool:
        """Whether tmux has it, running or ended. Raises TmuxUnavailable when that cannot be told."""
        return self._ctx.server(self._ref).find_pane(self.name) is not None

    def status(self) -> Status:
        """What it is doing now. Never raises for a session that is gone: that is a status, too."""
        return status_reader.normalise_status(status_reader.read_status(self._ctx, self._ref))

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

        `until` names a session state, `marker` a text in its output, `path` a JSON path into its status that ends the
        wait too; `turn_complete` wants the end of a turn to be seen in the transcript. Without a timeout (seconds) it
        waits for as long as it takes. `exit_code` of the outcome is 0 when what was waited for has come.
        """
        rules = _build_rules(timeout, until, marker, path, waiting, turn_complete)
        return watching.run_monitor(self._ctx, self._ref, rules)

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
        """As `wait`, step by step: a Poll at each change and at least `every` seconds, at last the Outcome.

        Both have a `status`. Leaving the loop ends the watching; the session goes on.
        """
        rules = _build_rules(timeout, until, marker, path, waiting, turn_complete, every)
        polls = watching.iterate_polls(self._ctx, self._ref, rules)
        try:
            while True:
                poll = next(polls)
                if poll.reported:
                    yield poll
        except StopIteration as end:
            yield end.value
        finally:
            polls.close()

    def send(self, text: str, *, enter: bool = True, force: bool = False) -> SendResult:
        """Type a text and submit it (unless `enter` is False); returns once it was seen to be taken.

        Raises LisaError, among others: session_not_found, agent_not_running, agent_waiting_dialog (`force` sends all
        the same).
        """
        return sending.send_payload(self._ctx, self._ref, SendPayload(text=text, enter=enter, force=force))

    def keys(self, *names: str) -> SendResult:
        """Press keys by their tmux names, as in `session.keys("C-c", "Enter")`."""
        return sending.send_payload(self._ctx, self._ref, SendPayload(keys=names))

    def answer(self, word: str) -> SendResult:
        """Answer the open dialog: yes, no, always, or the number of a choice.

        Raises LisaError, among others: no_dialog, answer_not_offered.
        """
        return sending.send_payload(self._ctx, self._ref, SendPayload(answer=word))

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
        """What it said: `text`, and `talk` (messages, tool calls, errors) when the transcript was read.

        `since` is an offset (`progress.next` of an earlier capture of the same source) or a time, `@unix` or RFC 3339;
        a cursor file remembers it between processes.
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
        return capturing.capture_session(self._ctx, self._ref, request)

    def messages(self) -> tuple[Message, ...]:
        """The conversation so far, from the transcript; empty when the agent keeps none."""
        try:
            talk = self.capture(source="transcript").excerpt
        except LisaError as problem:
            if problem.code == "transcript_unavailable":
                return ()
            raise
        return talk.messages if talk is not None else ()

    def handoff(
        self, *, schema: Literal["v1", "v2", "v3", "v4"] = "v4", events: int = 8, since: int | None = None
    ) -> Handoff:
        """Its state, what to do next and its events; `since` is `next_delta_offset` of an earlier one."""
        reader = EventReader(self._ctx, since, "")
        return handing.build(self._ctx, self._ref, HandoffRequest(schema=schema, events=events), reader)

    def packet(self, *, lines: int = 120, events: int = 8, token_budget: int = 320) -> Packet:
        """Its state, a short form of its output and its newest events."""
        request = PacketRequest(lines=lines, events=events, token_budget=token_budget)
        return packing.build(self._ctx, self._ref, request, EventReader(self._ctx, None, ""))

    def kill(self) -> KillReport:
        """End it with all its processes and what it has spawned, and remove its records."""
        return killing.kill_session(self._ctx, self._ref)


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
