"""Resolve a send target and wait until it accepts input."""

from __future__ import annotations

from collections.abc import Callable

from lisa_py import agents
from lisa_py.agents.base import Acceptance, Agent, Binding, Composer, View
from lisa_py.contract.errors import LisaError, TmuxUnavailable, session_not_found
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.send import dialog, open_dialog
from lisa_py.core.status import agent_reports
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.status.status_reader import read_with_evidence
from lisa_py.host import processes
from lisa_py.host.tmux import Tmux
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import invisible

READY_SECONDS = 20.0
"""Seconds for a starting agent to show its input box."""
UNREPORTED_SECONDS = 5.0
"""The same for an agent without known signals."""
POLL_SECONDS = 0.015
END_CHECK_SECONDS = 0.5
MATCH_CHARACTERS = 24
"""Number of characters that identify a text in the input box."""
SEARCH_CHARACTERS = 4000
"""Length of the beginning of a text in which they are searched."""


class SendTarget:
    """A session as a sender sees it; `refresh` reads it again."""

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
        """Read the session again. Raise TmuxUnavailable if tmux cannot be queried."""
        self.evidence, self.status = read_with_evidence(self._ctx, self.ref, screen=screen, cache=self._memory)
        if self.evidence.tmux_error:
            raise TmuxUnavailable(self.evidence.tmux_error, code=self.evidence.tmux_error_code or "tmux_unavailable")
        name = self.evidence.agent
        self.agent = agents.get(name) if name in agents.names() and not self.is_custom else Agent()
        self.pane_id = self.evidence.pane.pane_id if self.evidence.pane is not None else ""

    @property
    def is_custom(self) -> bool:
        """True if the session runs a custom command without known signals."""
        return self.evidence.custom or self.evidence.meta is None

    def build_view(self) -> View:
        """Return the input for the agent file: current signals, the rest as of the last read."""
        found = self.evidence
        path = found.binding.transcript
        return agent_reports.build_view(
            self._ctx,
            self.ref,
            self.agent,
            found.meta,
            tree=(found.root, *found.workload) if found.root is not None else found.workload,
            pane=found.pane,
            screen=found.screen,
            frames=self._memory.follow(self.agent, path) if path else (),
        )

    # -- what must be so --------------------------------------------------------------------------------------

    def require_session(self) -> None:
        """Read the session. Raise session_not_found, TmuxUnavailable."""
        if self._ctx.find_pane(self.ref) is None:
            raise self._build_missing_error()

    def require_running(self) -> None:
        """Read the session and require a running agent. Raise session_not_found, agent_not_running."""
        if self.evidence.pane is None:
            raise self._build_missing_error()
        if self.has_ended():
            raise self.build_gone_error("dead")

    def require_alive(self) -> None:
        """Raise LisaError if the agent's supervisor has ended since the last read of the session."""
        root = self.evidence.root
        if root is None or not processes.is_running(root.pid, root.started):
            raise self.build_gone_error("dead")

    def has_ended(self) -> bool:
        """Return True if the run has ended, or the pane has another process than the one of the spawn."""
        found = self.evidence
        if found.end is not None or found.pane is None or found.pane.dead or found.root is None:
            return True
        meta = found.meta
        pane_changed = meta is not None and meta.pane_pid not in (0, found.root.pid)
        return pane_changed or not processes.is_running(found.root.pid, found.root.started)

    def is_idle(self) -> bool:
        """Return True if the agent itself reports that it is idle, whatever was sent to it."""
        return any(
            report.source == "agent_file" and report.state in ("idle", "interrupted", "error")
            for report in self.evidence.reports
        )

    def _build_missing_error(self) -> LisaError:
        meta, command = self._ctx.read_meta(self.ref), ""
        if meta is not None:
            from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - most missing sessions have no record

            command = lost_sessions.build_resume_command(self.ref) if lost_sessions.may_resume(self.ref, meta) else ""
        return session_not_found(self.ref.session, self.ref.project.root, resume_command=command)

    def build_gone_error(self, pane_state: str) -> LisaError:
        """Return the error for a pane that is dead or gone; `pane_state` is as in host.tmux."""
        if pane_state == "gone":
            return self._build_missing_error()
        end = self.evidence.end
        return LisaError(
            "agent_not_running",
            f"the agent of {self.ref.session} has ended"
            + (f" with code {end.code}" if end is not None else "")
            + "; nothing was typed (lisa session capture shows its output, lisa session spawn starts it again)",
            session=self.ref.session,
            projectRoot=self.ref.project.root,
            sessionState=self.status.session_state,
        )

    def require_ready(self, *, force: bool) -> None:
        """Wait for a starting agent; refuse one that would misinterpret the text.

        Raise agent_not_running, agent_not_ready, agent_not_interactive, agent_waiting_dialog.
        """
        if self.is_custom or force:
            return
        self.require_interactive()
        self._require_not_stopped()
        self._wait_until_ready()
        is_other_screen = self.evidence.input_block and self.evidence.composer != "dialog"
        if open_dialog.has_dialog(self.status) and not is_other_screen:
            raise self._build_dialog_error()

    def require_interactive(self) -> None:
        """Raise agent_not_interactive for an exec session."""
        if self.evidence.mode == "exec" and not self.is_custom:
            raise LisaError(
                "agent_not_interactive",
                f"{self.ref.session} is an exec session, which accepts no further text (--force types it anyway)",
                session=self.ref.session,
            )

    def _require_not_stopped(self) -> None:
        """Refuse a stopped process: it would accept the text later, without confirmation."""
        if self.status.classification_reason == "process_stopped":
            raise LisaError(
                "agent_not_ready",
                f"nothing was typed to {self.ref.session}: {self.status.state_detail}",
                session=self.ref.session,
                sessionState=self.status.session_state,
            )

    def _wait_until_ready(self) -> None:
        """Wait for a starting agent; an agent without signals gets less time and is then assumed ready."""
        began = self._ctx.clock.monotonic()
        while (state := self.status.agent_state) in ("starting", "unknown"):
            waited = self._ctx.clock.monotonic() - began
            if state == "unknown" and waited > UNREPORTED_SECONDS:
                return
            if waited > READY_SECONDS:
                raise LisaError(
                    "agent_not_ready",
                    f"the agent of {self.ref.session} shows no input box after {READY_SECONDS:.0f} s; "
                    "read it with lisa session capture --raw, or use --force",
                    session=self.ref.session,
                )
            self._ctx.pause(0.05)
            self.refresh()
            self.require_running()

    def refuse_new_dialog(self) -> None:
        """Raise agent_waiting_dialog if a dialog has replaced the input box: Enter would answer it."""
        if self.is_custom:
            return
        from lisa_py.terminal import layout  # noqa: PLC0415 - its patterns cost a millisecond

        screen = self.read_screen(styled=True)
        box = self.agent.find_composer(screen)
        if (box is None or box.kind == "none") and self.agent.find_choices(layout.ANSI.sub("", screen)):
            self.refresh()
            if open_dialog.has_dialog(self.status):
                raise self._build_dialog_error()

    def _build_dialog_error(self) -> LisaError:
        choices = dialog.wait_for_choices(self._ctx, self)
        return LisaError(
            "agent_waiting_dialog",
            f"{self.ref.session} shows a dialog ({self.status.waiting_for}) that would consume the text; answer it "
            "with lisa session approve, deny or answer (send --answer yes|no|always|N), or type into it with --force",
            session=self.ref.session,
            waitingFor=self.status.waiting_for,
            detail=self.status.state_detail,
            choices=[{"number": choice.number, "text": choice.text} for choice in choices],
        )

    # -- telling it -------------------------------------------------------------------------------------------

    def press(self, keys: tuple[str, ...], *, literal: bool = False) -> None:
        """Press keys. Raise session_not_found, agent_not_running, send_keys_failed, TmuxUnavailable."""
        if not self.tmux.send_keys(self.pane_id, keys, literal=literal):
            self.refresh()  # it may have ended a moment ago
            raise self.build_gone_error("gone" if self.evidence.pane is None else "dead")

    # -- what is received ----------------------------------------------------------------------------------------

    def find_acceptance(self, text: str, since: float) -> Acceptance:
        """Return the present evidence of what the agent did with the text."""
        view = self.build_view()
        return self.agent.find_acceptance(text, since, view, self._refresh_binding(view))

    def wait_for_acceptance(self, text: str, since: float, seconds: float, *, final: bool = False) -> Acceptance:
        """Wait for a sign and return it; `final`: for one that nothing can revoke, as long as the agent lives."""
        began = self._ctx.clock.monotonic()
        checked = began
        while True:
            seen = self.find_acceptance(text, since)
            now = self._ctx.clock.monotonic()
            if seen.is_final or (seen.source and not final) or now - began > seconds:
                return seen
            if final and now - checked > END_CHECK_SECONDS:
                checked = now
                self.refresh()
                if self.has_ended():
                    return seen
            self._ctx.pause(POLL_SECONDS)

    def read_screen(self, *, styled: bool = False) -> str:
        """Return the visible screen; empty if it cannot be read."""
        try:
            return self.tmux.capture([self.pane_id], styled=styled).get(self.pane_id, "")
        except TmuxUnavailable:
            return ""

    def read_composer(self) -> Composer | None:
        """Return the input box on the screen now; None if this agent has no known one."""
        return self.agent.find_composer(self.read_screen(styled=True))

    def wait_until_ended(self, seconds: float) -> bool:
        """Wait until the agent has ended and its end is recorded."""

        def has_recorded_end() -> bool:
            self.refresh()
            return self.has_ended() and self.status.session_state not in ("in_progress", "waiting_input")

        return self._wait_until(has_recorded_end, seconds)

    def wait_until_cleared(self, text: str, seconds: float) -> bool:
        """Wait until the input box no longer holds the text: an accepted one may remain there for a moment."""
        return self._wait_until(lambda: not self.input_contains(text), seconds)

    def wait_until_shown(self, text: str, seconds: float) -> bool:
        """Wait until the input box holds the text."""
        return self._wait_until(lambda: self.input_contains(text), seconds)

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = self._ctx.clock.monotonic() + seconds
        while not condition():
            if self._ctx.clock.monotonic() > deadline:
                return False
            self._ctx.pause(POLL_SECONDS)
        return True

    def input_contains(self, text: str) -> bool:
        """Return True if the input box shows the text; it wraps lines anywhere and may fold long ones."""
        box = self.read_composer()
        return box is not None and box.kind == "holds" and self.draft_shows(box.text, text)

    def draft_shows(self, draft: str, text: str) -> bool:
        """Return True if a draft is the text, or its placeholder."""
        head = squeeze_text(text[:SEARCH_CHARACTERS])[:MATCH_CHARACTERS]
        return head in squeeze_text(draft) or draft.startswith(self.agent.folded_drafts or "\0")

    def _refresh_binding(self, view: View) -> Binding:
        """Bind the session again: a conversation may get its transcript only now."""
        binding = self.agent.bind(view)
        if binding.transcript and binding.transcript != self.evidence.binding.transcript:
            self.evidence.binding = binding
            view.frames = self._memory.follow(self.agent, binding.transcript)
        return binding


def squeeze_text(text: str) -> str:
    """Return the characters of a text that every screen shows, without white space and invisible ones."""
    from lisa_py.terminal import layout  # noqa: PLC0415 - its patterns cost a millisecond

    return layout.squeeze(invisible.strip_invisible(text))
