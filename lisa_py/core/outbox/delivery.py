"""Deliver the texts of one outbox in order, each once, and follow them to the end of their turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lisa_py import agents
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.live import LiveFrame, ResultPayload, SystemPayload
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.live.turn_reply import TurnReply
from lisa_py.core.outbox import queue
from lisa_py.core.send import input_box, input_text, send
from lisa_py.core.send.result import SendResult
from lisa_py.core.send.send import SendPayload
from lisa_py.core.send.target import SendTarget
from lisa_py.core.status import agent_reports, lost_sessions
from lisa_py.host import files
from lisa_py.store import outbox_records, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.outbox_records import OutboxText
from lisa_py.store.paths import SessionRef

POLL_SECONDS = 0.5
"""Pause before another look at the input box and the outbox."""
DUE_SECONDS = 60.0
"""Longest pause while a text is not due; the clock may be set, and the machine may sleep."""
TURN_SECONDS = 5.0
"""The same while the first text waits for the end of a turn, which is an event."""
EVIDENCE_SECONDS = 3.0
"""Wait for the sign of a text that a killed process may have submitted, from the beginning of its delivery."""
LEAST_EVIDENCE_SECONDS = 1.0
"""Least wait, for a text that was submitted late."""
HOOK_SECONDS = 60.0
"""Wait for the user's own prompt hooks, which may refuse such a text."""
SETTLE_SECONDS = 2.0
"""Time that an agent is idle before a turn without a record of its end is over."""
RECENT_BYTES = 1
PASSING = (
    "agent_waiting_dialog",
    "agent_not_ready",
    "input_not_empty",
    "input_not_visible",
    "state_lock_timeout",
    "tmux_unavailable",
    "too_many_processes",
    "too_many_open_files",
    "out_of_memory",
)
"""Error codes after which a text that was not typed is tried again."""


class _NotDueError(Exception):
    """The text was withdrawn, or the agent has begun another turn, before it could be typed."""


class OutboxDelivery:
    """The delivery of the texts of one session."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref
        self._registry = outbox_records.registry(ref)
        self._replies: dict[str, TurnReply] = {}
        """Replies of the texts that were typed, in their order."""
        self._turn_ends = 0
        self._turn_ends_before: dict[str, int] = {}
        """Number of ended turns when a text became the first one, by its id."""
        self._idle_since = 0.0

    def run(self) -> bool:
        """Deliver until no text is open, or the session has ended: then return False. Raise LisaError."""
        identity = queue.find_identity(self._ctx, self._ref)
        self._settle(lambda each: each.session_id != identity, queue.settle_ended)
        while identity and not self._finish():
            run_id = self._find_run()
            with SessionFeed(self._ctx, self._ref, self._find_start()) as feed:
                if self._follow(feed):
                    continue
            is_lost = self._is_lost()
            if self._find_run() not in ("", run_id) and queue.find_identity(self._ctx, self._ref) == identity:
                continue  # it was resumed meanwhile
            if not is_lost:
                self._settle(lambda each: True, queue.settle_ended)
            return False
        return bool(identity)

    def _find_run(self) -> str:
        """Return the id of the newest run of the session; empty if there is none."""
        meta = self._ctx.read_meta(self._ref)
        return "" if meta is None else meta.run_id

    def _find_start(self) -> str:
        """Return the position before the first text whose turn is not known to be over; empty for none."""
        return next((each.cursor for each in self._registry.read().open if each.cursor), "")

    def _is_lost(self) -> bool:
        """Return True for a session that can be resumed; its supervisor then starts this process again."""
        lost = lost_sessions.wait_for_lost_entries(self._ctx, self._ref.project)
        return any(known.ref.session == self._ref.session for known in lost)

    def _finish(self) -> bool:
        """Return True if no text is open; the supervisor then starts no other process."""
        with self._registry.hold_lock(self._ctx.settings):
            if self._registry.read().open:
                return False
            files.remove(self._ref.file(outbox_records.SCRIPT))
            return True

    def _settle(self, which: Callable[[OutboxText], bool], settle: Callable[[OutboxText, float], Any]) -> None:
        """Settle the open texts that are chosen."""
        if any(map(which, self._registry.read().open)):
            now = self._ctx.clock.now()
            with self._registry.change(self._ctx.settings, now) as opened:
                for each in filter(which, opened.content.open):
                    settle(each, now)

    # -- following ---------------------------------------------------------------------------------------------

    def _follow(self, feed: SessionFeed) -> bool:
        """Deliver and follow; return False if the session has ended, True if no text is open."""
        self._replies.clear()
        for each in self._registry.read().open:
            if each.cursor and each.state != "queued":
                self._replies[each.id] = TurnReply(self._build_typed(each), ends_at_dialog=False)
        for frame in feed.history(newest_bytes=0 if self._find_start() else RECENT_BYTES):
            self._take(frame)
        while True:
            if (pause := self._act(feed)) is None:
                return True
            feed.deadline = self._ctx.clock.monotonic() + pause
            before = self._turn_ends
            for frame in feed.follow():
                if frame.type == "session_end":
                    return False
                self._take(frame)
                if self._turn_ends != before or frame.type == "session_status":
                    feed.deadline = self._ctx.clock.monotonic()  # a text may be due

    def _take(self, frame: LiveFrame) -> None:
        """Give a frame to the replies; a prompt in it begins one of them."""
        payload = frame.payload
        if isinstance(payload, ResultPayload) or (
            isinstance(payload, SystemPayload) and payload.subtype == "interrupted"
        ):
            self._turn_ends += 1
        is_claimed = False
        for reply in self._replies.values():
            if reply.has_begun:
                reply.add(frame)
            elif not is_claimed:
                reply.add(frame)
                is_claimed = reply.has_begun

    def _act(self, feed: SessionFeed) -> float | None:
        """Settle what is over, deliver what is due; return the seconds until the next look, None without open texts."""
        status = feed.status
        self._settle(lambda each: queue.is_expired(each, self._ctx.clock.now()), _expire)
        self._settle_replies(status)
        texts = self._registry.read().open
        if not texts:
            return None
        begun = next((each for each in texts if each.state == "pasted"), None)
        if begun is not None:
            self._resolve(begun)
            return 0.0 if self._is_settled(begun) else POLL_SECONDS
        now = self._ctx.clock.now()
        waiting = [each for each in texts if each.state == "queued"]
        due = [each for each in waiting if each.due_at <= now]
        # what ends a limit comes first: the others may wait for the turn that it continues
        first = next((each for each in due if each.at_limit), next(iter(due), None))
        if first is None:
            return min([each.due_at - now for each in waiting] + [DUE_SECONDS]) if waiting else POLL_SECONDS
        if first.at_limit and not self._takes_continuation(first, status):
            if not has_left_limit(status):
                return POLL_SECONDS  # a session that cannot be read may wait at it still
            self._change(first.id, _withdraw(now))
            return 0.0
        if not self._is_due(first, status):
            self._note_waiting(first, "turn")
            left = first.expires_at - self._ctx.clock.now() if first.expires_at else TURN_SECONDS
            return max(0.0, min(left, TURN_SECONDS))
        self._deliver(first, feed)
        return 0.0 if self._is_settled(first) else POLL_SECONDS

    def _is_settled(self, text: OutboxText) -> bool:
        """Return True if the text is no longer to be delivered."""
        found = self._registry.read().find(text.id)
        return found is None or found.state not in ("queued", "pasted")

    def _settle_replies(self, status: Status) -> None:
        """Record the ends of turns; a turn without a record of its end is over once the agent is idle."""
        now = self._ctx.clock.monotonic()
        is_idle = _is_idle(status)
        self._idle_since = (self._idle_since or now) if is_idle else 0.0
        is_settled = is_idle and now - self._idle_since >= SETTLE_SECONDS
        states = {each.id: each.state for each in self._registry.read().open}
        for identity, reply in list(self._replies.items()):
            state = states.get(identity, "")
            if state not in ("pasted", "accepted"):
                del self._replies[identity]  # failed, or to be typed again
            if state != "accepted" or not (reply.ended or is_settled):
                continue
            if reply.has_begun:
                reply.finish("failed" if reply.error else "completed")
            self._change(identity, _build_end(reply, self._ctx.clock.now()))
            del self._replies[identity]

    # -- delivering --------------------------------------------------------------------------------------------

    def _is_due(self, text: OutboxText, status: Status) -> bool:
        if text.when == "now" or _is_idle(status):
            return True
        before = self._turn_ends_before.setdefault(text.id, self._turn_ends)
        return text.when == "turn-end" and self._turn_ends > before

    def _takes_continuation(self, text: OutboxText, status: Status) -> bool:
        """Return True if the turn that a limit interrupted is still the newest."""
        return _is_at_limit(status) or (_is_idle(status) and was_resumed_at_limit(self._ctx, self._ref, text))

    def _deliver(self, text: OutboxText, feed: SessionFeed) -> None:
        """Send the first text; it stays queued if it was not typed for a reason that ends by itself."""
        cursor = feed.position.encode()

        def begin(target: SendTarget) -> None:
            if text.when == "idle" and not _is_idle(target.status):
                raise _NotDueError
            if text.at_limit and not self._takes_continuation(text, target.status):
                raise _NotDueError
            self._change(text.id, _begin(self._ctx.clock.now(), cursor))
            self._replies[text.id] = TurnReply(self._build_typed(text), ends_at_dialog=False)

        marked = text.text if text.verbatim else input_text.mark_sender(text.text, text.sender)
        payload = SendPayload(text=marked, enter=True, sender=text.sender)
        try:
            sent = send.send_payload(self._ctx, self._ref, payload, begin=begin)
        except _NotDueError:
            return
        except CancellationError:
            raise
        except LisaError as problem:
            found = self._registry.read().find(text.id)
            if found is None or found.state != "queued":
                return  # it may have been typed: the conversation shows it
            if problem.code in PASSING:
                self._note_waiting(text, problem.code)
                if text.at_limit and problem.code == "agent_waiting_dialog":
                    self._close_limit_dialog()
            else:
                self._change(text.id, _fail(problem.code, problem.message, self._ctx.clock.now()))
            return
        self._note_sent(text, sent)

    def _close_limit_dialog(self) -> None:
        """Close the dialog that an agent shows at its limit, so that it takes a text."""
        ref, settings = self._ref, self._ctx.settings
        target = SendTarget(self._ctx, ref)
        with session_records.session_lock(ref, settings, "input", timeout_ms=int(send.LOCK_SECONDS * 1000)):
            target.refresh(screen=True)
            if _is_at_limit(target.status) and target.status.agent_state == "waiting" and target.pane_id:
                target.tmux.send_keys(target.pane_id, list(target.agent.limit_dialog_keys))

    def _note_sent(self, text: OutboxText, sent: SendResult) -> None:
        now = self._ctx.clock.now()
        if not sent.ok:
            self._change(text.id, _fail(str(sent.error_code), str(sent.error or ""), now))
        elif sent.delivered is True:
            self._note_accepted(text, str(sent.delivered_by or ""))
        else:
            self._change(text.id, _leave_unverified(now))

    def _note_accepted(self, text: OutboxText, source: str) -> None:
        now = self._ctx.clock.now()

        def change(known: OutboxText) -> None:
            known.state, known.accepted_at, known.delivered_by, known.waiting_for = "accepted", now, source, ""

        self._change(text.id, change)
        self._idle_since = 0.0

    def _note_waiting(self, text: OutboxText, code: str) -> None:
        if text.waiting_for != code:
            self._change(text.id, _wait_for(code))

    def _change(self, identity: str, change: Callable[[OutboxText], None]) -> None:
        queue.change_text(self._ctx, self._ref, identity, change)

    def _build_typed(self, text: OutboxText) -> str:
        """Return the text as it is typed."""
        marked = text.text if text.verbatim else input_text.mark_sender(text.text, text.sender)
        return input_text.complete_text(marked, self._ctx.read_meta(self._ref))

    # -- after a killed process --------------------------------------------------------------------------------

    def _resolve(self, text: OutboxText) -> None:
        """Find out what became of a text whose delivery began; queue it again only if the agent never got it."""
        ref, settings = self._ref, self._ctx.settings
        target = SendTarget(self._ctx, ref)
        wait_ms = int(send.LOCK_SECONDS * 1000)
        with session_records.session_lock(ref, settings, "input", timeout_ms=wait_ms):
            target.refresh(screen=True)
            if target.is_custom:
                self._change(text.id, _leave_unverified(self._ctx.clock.now()))
                return
            typed = self._build_typed(text)
            left = text.begun_at + EVIDENCE_SECONDS - self._ctx.clock.now()
            seconds = min(max(LEAST_EVIDENCE_SECONDS, left), EVIDENCE_SECONDS)  # the clock may have been set back
            seen = target.wait_for_acceptance(typed, text.begun_at, seconds)
            if seen.provisional:
                seen = target.wait_for_acceptance(typed, text.begun_at, HOOK_SECONDS, final=True)
            if seen.refusal or seen.joined_with:
                code = seen.refusal or "prompt_joined"
                send.record_acceptance(self._ctx, ref, False, seen.reason)
                self._change(text.id, _fail(code, seen.reason or seen.joined_with, self._ctx.clock.now()))
            elif seen.source:
                send.record_acceptance(self._ctx, ref, True)
                self._note_accepted(text, seen.source)
            elif not target.has_ended():
                self._queue_again(text, target, typed)

    def _queue_again(self, text: OutboxText, target: SendTarget, typed: str) -> None:
        """Remove what was typed and not submitted; wait while the box is hidden or a person has changed it."""
        box = target.read_composer()
        if box is not None and box.kind in ("none", "mode"):
            self._note_waiting(text, "input_not_visible")
            return
        if box is not None and box.kind != "empty":
            if not input_box.holds_only(target, box, typed):
                self._note_waiting(text, "input_not_empty")
                return
            input_box.clear_input_box(self._ctx, target, box)
        send.record_acceptance(self._ctx, self._ref, False)
        self._change(text.id, _put_back)


def _is_idle(status: Status) -> bool:
    return status.session_state == "waiting_input" and status.waiting_for in ("", "prompt", "error")


def _is_at_limit(status: Status) -> bool:
    return status.session_state == "waiting_input" and status.waiting_for == "limit"


def has_left_limit(status: Status) -> bool:
    """Return True if the agent reports something else than its limit."""
    is_clear = status.session_state in ("in_progress", "waiting_input", *TERMINAL_STATES)
    return is_clear and not _is_at_limit(status)


def was_resumed_at_limit(ctx: Context, ref: SessionRef, text: OutboxText) -> bool:
    """Return True if the session was resumed after the text was queued, and has got no prompt since.

    A resumed agent waits at its prompt and does not name the limit again (claude 2.1.332, codex 0.171).
    """
    meta = ctx.read_meta(ref)
    if meta is None or not meta.former_run_ids or meta.created_unix < text.queued_at:
        return False
    try:
        if session_records.read_state(ref).last_input_at > text.queued_at:
            return False
    except UnreadableRecord:
        return False
    agent = agents.get_or_default(meta.agent)
    hooks = agent_reports.read_hooks(ref)
    own = ("", meta.agent_session_id)
    return not any(agent.turn_edge(hook) == "prompt" or hook.get("session_id", "") not in own for hook in hooks)


def _withdraw(now: float) -> Callable[[OutboxText], None]:
    """Return the end of a text for a limit that the agent does not wait for any more: its turn has gone on."""

    def change(known: OutboxText) -> None:
        if known.state == "queued":
            known.state, known.over_at, known.waiting_for = "withdrawn", now, ""

    return change


def _begin(now: float, cursor: str) -> Callable[[OutboxText], None]:
    def change(known: OutboxText) -> None:
        if known.state != "queued":
            raise _NotDueError
        known.state, known.begun_at, known.cursor, known.waiting_for = "pasted", now, cursor, ""

    return change


def _put_back(known: OutboxText) -> None:
    known.state, known.begun_at, known.waiting_for = "queued", 0.0, ""


def _wait_for(code: str) -> Callable[[OutboxText], None]:
    def change(known: OutboxText) -> None:
        known.waiting_for = "" if known.is_over else code

    return change


def _leave_unverified(now: float) -> Callable[[OutboxText], None]:
    """Return the end of a text that was typed to an agent or command that gives no sign of acceptance."""

    def change(known: OutboxText) -> None:
        known.over_at, known.waiting_for = now, ""

    return change


def _fail(code: str, why: str, now: float) -> Callable[[OutboxText], None]:
    def change(known: OutboxText) -> None:
        if not known.is_over:
            known.state, known.over_at, known.waiting_for = "failed", now, ""
            known.error_code, known.error = code, why

    return change


def _expire(known: OutboxText, now: float) -> None:
    known.state, known.over_at, known.waiting_for = "expired", now, ""


def _build_end(reply: TurnReply, now: float) -> Callable[[OutboxText], None]:
    """Return the end of an accepted text; one without a turn, such as a command of the agent, remains accepted."""

    def change(known: OutboxText) -> None:
        known.ended = reply.ended
        known.state = "answered" if reply.ended == "completed" else "accepted"
        known.over_at = now

    return change
