"""Monitor a session past usage limits: the interrupted turn continues at their end."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.limits import continuation
from lisa_py.core.wait import monitor
from lisa_py.core.wait.monitor import MonitorSummary, Poll
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.host.clock import format_rfc3339
from lisa_py.store.paths import SessionRef

GRACE_SECONDS = 60.0
"""Time for the delivery after the end of a limit."""
REASON = "usage_limit"
ERROR = "usage_limit_reached"


class _WithdrawalError(Exception):
    """A person has ended the wait for the end of the limit."""

    def __init__(self, poll: Poll) -> None:
        super().__init__()
        self.poll = poll


def run_monitor(
    ctx: Context,
    ref: SessionRef,
    rules: StopRules,
    on_limit: str,
    emit: Callable[[Poll], None],
    on_poll: Callable[[Poll], None],
) -> MonitorSummary:
    """Monitor a session; at a usage limit wait for its end, or stop. Errors as those of monitor.run_monitor."""
    began, polls = ctx.clock.monotonic(), 0
    waiting: continuation.Continuation | None = None

    def check_poll(poll: Poll) -> None:
        if poll.status.waiting_for == "limit" and waiting is not None and continuation.is_withdrawn(ref, waiting.id):
            raise _WithdrawalError(poll)
        on_poll(poll)

    rules = structs.replace(rules, stop_at_limit=True)
    timeout = rules.timeout_seconds
    while True:
        try:
            outcome = monitor.run_monitor(ctx, ref, rules, emit, check_poll)
        except _WithdrawalError as found:
            ctx.warn(f"{ref.session}: the wait for the end of the usage limit was ended")
            return _build_stop(found.poll, polls)
        if outcome.reason != REASON:
            return structs.replace(outcome, polls=polls + outcome.polls)
        polls += outcome.polls
        waiting = _queue(ctx, ref) if on_limit == "wait" else None
        if waiting is None:
            return structs.replace(outcome, polls=polls)
        left = timeout - (ctx.clock.monotonic() - began) if timeout else 0.0
        rules = _subtract(rules, outcome)
        if (timeout and left <= 0) or (rules.counts_polls and rules.max_polls <= 0):
            return structs.replace(outcome, polls=polls)
        rules = structs.replace(rules, limit_until=waiting.due_at + GRACE_SECONDS, timeout_seconds=left)


def _subtract(rules: StopRules, outcome: MonitorSummary) -> StopRules:
    """Return the rules with what a round has left of the polls and recoveries.

    The poll that found the limit is not counted, as those while the limit is waited for.
    """
    budget = rules.recover_budget - (outcome.polls_used - 1)
    return structs.replace(
        rules,
        max_polls=rules.max_polls - (outcome.polls - 1),
        recover_max=rules.recover_max - outcome.recoveries,
        auto_recover=rules.auto_recover and (not rules.recover_budget or budget > 0),
        recover_budget=max(0, budget) if rules.recover_budget else 0,
    )


def _queue(ctx: Context, ref: SessionRef) -> continuation.Continuation | None:
    """Queue what continues the turn; None, and a warning, if nothing will."""
    try:
        queued = continuation.queue_continuation(ctx, ref)
    except LisaError as problem:
        ctx.warn_about(problem)
        return None
    if queued is None:
        ctx.warn(f"{ref.session}: the agent names no time at which its usage limit ends; nothing waits for it")
        return None
    if queued.due_at + GRACE_SECONDS <= ctx.clock.now() or continuation.is_withdrawn(ref, queued.id):
        ctx.warn(f"{ref.session}: its turn has not gone on after the end of the usage limit")
        return None
    ctx.warn(f"{ref.session}: at a usage limit; the turn continues at {format_rfc3339(queued.due_at)}")
    return queued


def _build_stop(poll: Poll, polls: int) -> MonitorSummary:
    return MonitorSummary(reason=REASON, exit_code=2, code=ERROR, polls=polls + poll.number, status=poll.status)
