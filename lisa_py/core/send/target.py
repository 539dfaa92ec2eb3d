"""The one being told: whether it is there, runs, and listens, and how it is heard to have taken something."""

from __future__ import annotations

from collections.abc import Callable

from lisa_py import agents
from lisa_py.agents.base import Agent, Binding, View
from lisa_py.contract.errors import LisaError, TmuxUnavailable, session_not_found
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.send import dialog
from lisa_py.core.status import agent_reports
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.status.status_reader import read_with_evidence
from lisa_py.host import processes
from lisa_py.host.tmux import Tmux
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import invisible

READY_SECONDS = 20.0
"""How long a starting agent may take until its input box is there."""
UNREPORTED_SECONDS = 5.0
"""The same for an agent of which no sign is known."""
POLL_SECONDS = 0.015
MATCH_CHARACTERS = 24
"""Characters of a text by which it is known again in the input box."""
SEARCH_CHARACTERS = 4000
"""Among so many at its beginning those are looked for."""


class SendTarget:
    """A session as a sender sees it; `look` renews what is known."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self.ref = ref
        self.tmux: Tmux = ctx.server(ref)
        self.evidence = Evidence(session=ref.session)
        self.status = Status(session=ref.session)
        self.agent = Agent()
        self.pane_id = ""
        self._ctx = ctx
        self._memory = PollCache()

    # -- what is known ----------------------------------------------------------------------------------------

    def refresh(self, *, screen: bool = False) -> None:
        """See the session afresh. Raises TmuxUnavailable when tmux cannot be asked."""
        self.evidence, self.status = read_with_evidence(self._ctx, self.ref, screen=screen, cache=self._memory)
        if self.evidence.tmux_error:
            raise TmuxUnavailable(self.evidence.tmux_error, code=self.evidence.tmux_error_code or "tmux_unavailable")
        name = self.evidence.agent
        self.agent = agents.get(name) if name in agents.names() and not self.is_custom else Agent()
        self.pane_id = self.evidence.pane.pane_id if self.evidence.pane is not None else ""

    @property
    def is_custom(self) -> bool:
        """The session runs a command of the user's own, of whose signals nothing is known."""
        return self.evidence.custom or self.evidence.meta is None

    @property
    def reports_acceptance(self) -> bool:
        """Whether the agent has a way of showing that it took something."""
        bound = self.evidence.binding
        return not self.is_custom and bool(bound.transcript or (self.evidence.meta and self.evidence.meta.hooks))

    def build_view(self) -> View:
        """What the agent file judges: its signals as they are now, the rest as of the last look."""
        found = self.evidence
        path = found.binding.transcript
        return agent_reports.build_view(
            self._ctx,
            self.ref,
            found.meta,
            tree=(found.root, *found.workload) if found.root is not None else found.workload,
            pane=found.pane,
            screen=found.screen,
            frames=self._memory.follow(self.agent, path) if path else (),
        )

    # -- what must be so --------------------------------------------------------------------------------------

    def require_session(self) -> None:
        """Raises session_not_found, TmuxUnavailable."""
        if self.tmux.find_pane(self.ref.session) is None:
            raise session_not_found(self.ref.session, self.ref.project.root)

    def require_running(self) -> None:
        """Raises session_not_found, agent_not_running."""
        if self.evidence.pane is None:
            raise session_not_found(self.ref.session, self.ref.project.root)
        if self.has_ended():
            raise self.build_gone_error("dead")

    def has_ended(self) -> bool:
        """Whether nobody is there any more: the run has ended, or the pane's process is not the one spawn started."""
        found = self.evidence
        if found.end is not None or found.pane is None or found.pane.dead or found.root is None:
            return True
        meta = found.meta
        pane_changed = meta is not None and meta.pane_pid not in (0, found.root.pid)
        return pane_changed or not processes.is_running(found.root.pid, found.root.started)

    def is_idle(self) -> bool:
        """Whether the agent itself says that it does nothing, whatever was sent to it."""
        return any(
            report.source == "agent_file" and report.state in ("idle", "interrupted", "error")
            for report in self.evidence.reports
        )

    def build_gone_error(self, pane_state: str) -> LisaError:
        """`how`: dead or gone, in the words of host.tmux."""
        if pane_state == "gone":
            return session_not_found(self.ref.session, self.ref.project.root)
        end = self.evidence.end
        return LisaError(
            "agent_not_running",
            f"the agent of {self.ref.session} has ended"
            + (f" with code {end.code}" if end is not None else "")
            + "; nothing was typed (lisa session capture shows what it said, lisa session spawn starts anew)",
            session=self.ref.session,
            projectRoot=self.ref.project.root,
            sessionState=self.status.session_state,
        )

    def require_ready(self, *, force: bool) -> None:
        """Wait for a starting agent; refuse one that would take the text for something else.

        Raises agent_not_running, agent_not_ready, agent_not_interactive, agent_waiting_dialog.
        """
        if self.is_custom or force:
            return
        if self.evidence.mode == "exec":
            raise LisaError(
                "agent_not_interactive",
                f"{self.ref.session} is an exec session, which takes no further text (--force types it all the same)",
                session=self.ref.session,
            )
        self._require_not_stopped()
        self._wait_until_ready()
        if dialog.has_dialog(self.status):
            raise self._build_dialog_error()

    def _require_not_stopped(self) -> None:
        """What is typed to a stopped process is taken once it goes on: it would be delivered, and nobody would know."""
        if self.status.classification_reason == "process_stopped":
            raise LisaError(
                "agent_not_ready",
                f"nothing was typed to {self.ref.session}: {self.status.state_detail}",
                session=self.ref.session,
                sessionState=self.status.session_state,
            )

    def _wait_until_ready(self) -> None:
        """A starting agent gets time; one that never says anything about itself gets less, and is then believed in."""
        began = self._ctx.clock.monotonic()
        while (state := self.status.agent_state) in ("starting", "unknown"):
            waited = self._ctx.clock.monotonic() - began
            if state == "unknown" and waited > UNREPORTED_SECONDS:
                return
            if waited > READY_SECONDS:
                raise LisaError(
                    "agent_not_ready",
                    f"the agent of {self.ref.session} shows no input box after {READY_SECONDS:.0f} s; "
                    "look at it with lisa session capture --raw, or use --force",
                    session=self.ref.session,
                )
            self._ctx.clock.sleep(0.05)
            self.refresh()
            self.require_running()

    def _build_dialog_error(self) -> LisaError:
        choices = dialog.wait_for_choices(self._ctx, self)
        return LisaError(
            "agent_waiting_dialog",
            f"{self.ref.session} shows a dialog ({self.status.waiting_for}) that would swallow the text; answer it "
            "with lisa session send --answer yes|no|always|N, or type into it with --force",
            session=self.ref.session,
            waitingFor=self.status.waiting_for,
            detail=self.status.state_detail,
            choices=[{"number": choice.number, "text": choice.text} for choice in choices],
        )

    # -- telling it -------------------------------------------------------------------------------------------

    def press(self, keys: tuple[str, ...], *, literal: bool = False) -> None:
        """Raises session_not_found, send_keys_failed, TmuxUnavailable."""
        if not self.tmux.send_keys(self.pane_id, keys, literal=literal):
            raise self.build_gone_error("gone")

    # -- what is heard ----------------------------------------------------------------------------------------

    def wait_for_acceptance(self, text: str, since: float, seconds: float) -> str:
        """How the agent is seen to have taken the text, waiting so long for a sign; or empty."""
        deadline = self._ctx.clock.monotonic() + seconds
        while True:
            view = self.build_view()
            source = self.agent.find_acceptance(text, since, view, self._refresh_binding(view))
            if source or self._ctx.clock.monotonic() > deadline:
                return source
            self._ctx.clock.sleep(POLL_SECONDS)

    def wait_until_cleared(self, text: str, seconds: float) -> bool:
        """Wait until the input box no longer holds the text: one that is taken may stand there for a moment still."""
        return self._wait_until(lambda: not self.input_contains(text), seconds)

    def wait_until_shown(self, text: str, seconds: float) -> bool:
        """Wait until the input box holds the text."""
        return self._wait_until(lambda: self.input_contains(text), seconds)

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = self._ctx.clock.monotonic() + seconds
        while not condition():
            if self._ctx.clock.monotonic() > deadline:
                return False
            self._ctx.clock.sleep(POLL_SECONDS)
        return True

    def input_contains(self, text: str) -> bool:
        """Whether the input box shows the text; it breaks lines wherever it likes, and may fold long ones up."""
        box = self._read_input_box()
        head = _normalize(text[:SEARCH_CHARACTERS])[:MATCH_CHARACTERS]
        return bool(box) and (head in box or box.startswith("[Pasted"))

    def _read_input_box(self) -> str:
        """The screen from the last line on that begins with a prompt's glyph, without white space."""
        try:
            rows = self.tmux.capture([self.pane_id]).get(self.pane_id, "").split("\n")
        except TmuxUnavailable:
            return ""
        begin = next((at for at in range(len(rows) - 1, -1, -1) if rows[at].lstrip()[:1] in tuple("❯›")), len(rows))
        return _normalize("".join(rows[begin:]))[1:]

    def _refresh_binding(self, view: View) -> Binding:
        """A conversation may only now get its transcript."""
        binding = self.agent.bind(view)
        if binding.transcript and binding.transcript != self.evidence.binding.transcript:
            self.evidence.binding = binding
            view.frames = self._memory.follow(self.agent, binding.transcript)
        return binding


def _normalize(text: str) -> str:
    """What is left of a text wherever a screen breaks its lines and whatever it shows nothing of."""
    return "".join(invisible.strip_invisible(text).split())
