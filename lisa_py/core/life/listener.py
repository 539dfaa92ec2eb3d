"""The one being told: whether it is there, runs, and listens, and how it is heard to have taken something."""

from __future__ import annotations

from collections.abc import Callable

from lisa_py import agents
from lisa_py.agents import _unseen
from lisa_py.agents.base import Agent, Binding, View
from lisa_py.contract.errors import LisaError, TmuxUnavailable, session_not_found
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.life import answering
from lisa_py.core.watch import evidence as watching
from lisa_py.core.watch.evidence import Evidence
from lisa_py.core.watch.look import look
from lisa_py.core.watch.memory import Memory
from lisa_py.host import processes
from lisa_py.host.tmux import Tmux
from lisa_py.store.places import Place

READY_SECONDS = 20.0
"""How long a starting agent may take until its input box is there."""
SILENT_SECONDS = 5.0
"""The same for an agent of which no sign is known."""
TICK_SECONDS = 0.015
BOX_HEAD = 24
"""Characters of a text by which it is known again in the input box."""
HEAD_ROOM = 4000
"""Among so many at its beginning those are looked for."""


class Listener:
    """A session as a sender sees it; `look` renews what is known."""

    def __init__(self, ctx: Context, place: Place) -> None:
        self.place = place
        self.tmux: Tmux = ctx.server(place)
        self.evidence = Evidence(session=place.session)
        self.status = Status(session=place.session)
        self.agent = Agent()
        self.pane_id = ""
        self._ctx = ctx
        self._memory = Memory()

    # -- what is known ----------------------------------------------------------------------------------------

    def look(self, *, screen: bool = False) -> None:
        """See the session afresh. Raises TmuxUnavailable when tmux cannot be asked."""
        self.evidence, self.status = look(self._ctx, self.place, screen=screen, memory=self._memory)
        if self.evidence.tmux_error:
            raise TmuxUnavailable(self.evidence.tmux_error, code=self.evidence.tmux_error_code or "tmux_unavailable")
        name = self.evidence.agent
        self.agent = agents.get(name) if name in agents.names() and not self.custom else Agent()
        self.pane_id = self.evidence.pane.pane_id if self.evidence.pane is not None else ""

    @property
    def custom(self) -> bool:
        """The session runs a command of the user's own, of whose signals nothing is known."""
        return self.evidence.custom or self.evidence.meta is None

    @property
    def tells(self) -> bool:
        """Whether the agent has a way of showing that it took something."""
        bound = self.evidence.binding
        return not self.custom and bool(bound.transcript or (self.evidence.meta and self.evidence.meta.hooks))

    def view(self) -> View:
        """What the agent file judges: its signals as they are now, the rest as of the last look."""
        found = self.evidence
        path = found.binding.transcript
        tree = (found.root, *found.workload) if found.root is not None else found.workload
        return View(
            meta=found.meta or SessionMeta(session=self.place.session),
            processes=tree,
            title=found.pane.title if found.pane is not None else "",
            screen=found.screen,
            alternate=bool(found.pane and found.pane.alternate),
            hooks=watching.hooks(self.place),
            frames=self._memory.follow(self.agent, path) if path else (),
            environ=self._ctx.settings.environ,
            now=self._ctx.clock.now(),
        )

    # -- what must be so --------------------------------------------------------------------------------------

    def must_exist(self) -> None:
        """Raises session_not_found, TmuxUnavailable."""
        if self.tmux.pane(self.place.session) is None:
            raise session_not_found(self.place.session, self.place.project.root)

    def must_run(self) -> None:
        """Raises session_not_found, agent_not_running."""
        if self.evidence.pane is None:
            raise session_not_found(self.place.session, self.place.project.root)
        if self.ended():
            raise self.gone("dead")

    def ended(self) -> bool:
        """Whether nobody is there any more: the run has ended, or the pane's process is not the one spawn started."""
        found = self.evidence
        if found.end is not None or found.pane is None or found.pane.dead or found.root is None:
            return True
        meta = found.meta
        pane_changed = meta is not None and meta.pane_pid not in (0, found.root.pid)
        return pane_changed or not processes.same(found.root.pid, found.root.started)

    def rests(self) -> bool:
        """Whether the agent itself says that it does nothing, whatever was sent to it."""
        return any(
            report.source == "agent_file" and report.state in ("idle", "interrupted", "error")
            for report in self.evidence.reports
        )

    def gone(self, how: str) -> LisaError:
        """`how`: dead or gone, in the words of host.tmux."""
        if how == "gone":
            return session_not_found(self.place.session, self.place.project.root)
        end = self.evidence.end
        return LisaError(
            "agent_not_running",
            f"the agent of {self.place.session} has ended"
            + (f" with code {end.code}" if end is not None else "")
            + "; nothing was typed (lisa session capture shows what it said, lisa session spawn starts anew)",
            session=self.place.session,
            projectRoot=self.place.project.root,
            sessionState=self.status.session_state,
        )

    def must_listen(self, *, force: bool) -> None:
        """Wait for a starting agent; refuse one that would take the text for something else.

        Raises agent_not_running, agent_not_ready, agent_not_interactive, agent_waiting_dialog.
        """
        if self.custom or force:
            return
        if self.evidence.mode == "exec":
            raise LisaError(
                "agent_not_interactive",
                f"{self.place.session} is an exec session, which takes no further text (--force types it all the same)",
                session=self.place.session,
            )
        self._must_be_awake()
        self._wait_until_ready()
        if answering.asks(self.status):
            raise self._busy_with_dialog()

    def _must_be_awake(self) -> None:
        """What is typed to a stopped process is taken once it goes on: it would be delivered, and nobody would know."""
        if self.status.classification_reason == "process_stopped":
            raise LisaError(
                "agent_not_ready",
                f"nothing was typed to {self.place.session}: {self.status.state_detail}",
                session=self.place.session,
                sessionState=self.status.session_state,
            )

    def _wait_until_ready(self) -> None:
        """A starting agent gets time; one that never says anything about itself gets less, and is then believed in."""
        began = self._ctx.clock.monotonic()
        while (state := self.status.agent_state) in ("starting", "unknown"):
            waited = self._ctx.clock.monotonic() - began
            if state == "unknown" and waited > SILENT_SECONDS:
                return
            if waited > READY_SECONDS:
                raise LisaError(
                    "agent_not_ready",
                    f"the agent of {self.place.session} shows no input box after {READY_SECONDS:.0f} s; "
                    "look at it with lisa session capture --raw, or use --force",
                    session=self.place.session,
                )
            self._ctx.clock.sleep(0.05)
            self.look()
            self.must_run()

    def _busy_with_dialog(self) -> LisaError:
        choices = answering.choices(self._ctx, self)
        return LisaError(
            "agent_waiting_dialog",
            f"{self.place.session} shows a dialog ({self.status.waiting_for}) that would swallow the text; answer it "
            "with lisa session send --answer yes|no|always|N, or type into it with --force",
            session=self.place.session,
            waitingFor=self.status.waiting_for,
            detail=self.status.state_detail,
            choices=[{"number": choice.number, "text": choice.text} for choice in choices],
        )

    # -- telling it -------------------------------------------------------------------------------------------

    def press(self, keys: tuple[str, ...], *, literal: bool = False) -> None:
        """Raises session_not_found, send_keys_failed, TmuxUnavailable."""
        if not self.tmux.keys(self.pane_id, keys, literal=literal):
            raise self.gone("gone")

    # -- what is heard ----------------------------------------------------------------------------------------

    def hear(self, text: str, since: float, seconds: float) -> str:
        """How the agent is seen to have taken the text, waiting so long for a sign; or empty."""
        deadline = self._ctx.clock.monotonic() + seconds
        while True:
            view = self.view()
            how = self.agent.accepted(text, since, view, self._bound(view))
            if how or self._ctx.clock.monotonic() > deadline:
                return how
            self._ctx.clock.sleep(TICK_SECONDS)

    def emptied(self, text: str, seconds: float) -> bool:
        """Wait until the input box no longer holds the text: one that is taken may stand there for a moment still."""
        return self._until(lambda: not self.holds(text), seconds)

    def shows(self, text: str, seconds: float) -> bool:
        """Wait until the input box holds the text."""
        return self._until(lambda: self.holds(text), seconds)

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = self._ctx.clock.monotonic() + seconds
        while not condition():
            if self._ctx.clock.monotonic() > deadline:
                return False
            self._ctx.clock.sleep(TICK_SECONDS)
        return True

    def holds(self, text: str) -> bool:
        """Whether the input box shows the text; it breaks lines wherever it likes, and may fold long ones up."""
        box = self._box()
        head = _letters(text[:HEAD_ROOM])[:BOX_HEAD]
        return bool(box) and (head in box or box.startswith("[Pasted"))

    def _box(self) -> str:
        """The screen from the last line on that begins with a prompt's glyph, without white space."""
        try:
            rows = self.tmux.capture([self.pane_id]).get(self.pane_id, "").split("\n")
        except TmuxUnavailable:
            return ""
        begin = next((at for at in range(len(rows) - 1, -1, -1) if rows[at].lstrip()[:1] in tuple("❯›")), len(rows))
        return _letters("".join(rows[begin:]))[1:]

    def _bound(self, view: View) -> Binding:
        """A conversation may only now get its transcript."""
        binding = self.agent.bind(view)
        if binding.transcript and binding.transcript != self.evidence.binding.transcript:
            self.evidence.binding = binding
            view.frames = self._memory.follow(self.agent, binding.transcript)
        return binding


def _letters(text: str) -> str:
    """What is left of a text wherever a screen breaks its lines and whatever it shows nothing of."""
    return "".join(_unseen.without(text).split())
