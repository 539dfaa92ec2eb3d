"""Compare the use of a session with its limits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.limits import SessionLimits
from lisa_py.contract.records import SessionMeta
from lisa_py.host import files
from lisa_py.host.clock import Clock, format_rfc3339
from lisa_py.store import limit_records, usage_state
from lisa_py.store.json_records import load_readable
from lisa_py.store.limit_records import LimitRecord
from lisa_py.store.paths import SessionRef
from lisa_py.store.usage_state import UsageState

if TYPE_CHECKING:
    from lisa_py.core.usage.usage_reader import SessionUsage

WARNING_SHARE = 0.8
START_SECONDS = 30.0
"""Longest time until the supervisor has recorded the start of the session and the limit process has begun."""
UNENFORCED = "the process that enforces the limits of the session does not run; its supervisor starts it again"


class LimitUse(Struct, frozen=True, kw_only=True):
    """One limit, its use, and how the session ends at it."""

    limit: str
    share: float
    """Used part; 1 or more: the limit is reached."""
    message: str
    subtype: str = "budget_exceeded"
    """Subtype of the frame at the limit."""
    end_reason: str = "completed"
    end_detail: str = "budget"

    @property
    def is_reached(self) -> bool:
        return self.share >= 1.0


def count_turns(used: SessionUsage | UsageState) -> int:
    """Return the turns of the agent: answers of its model, or ended turns if it reports more of these."""
    return max(used.calls, used.turns)


def compare(limits: LimitRecord, used: SessionUsage, elapsed: float) -> list[LimitUse]:
    """Return the use of every limit that an amount can reach; `elapsed` is the age of the session in seconds."""
    found = []
    if limits.ttl_seconds:
        text = f"{elapsed:.0f} of {limits.ttl_seconds} seconds"
        share = elapsed / limits.ttl_seconds
        found.append(
            LimitUse(
                limit="ttl_seconds",
                share=share,
                message=text,
                subtype="max_duration_exceeded",
                end_reason="max_duration_exceeded",
                end_detail="ttl_seconds",
            )
        )
    if limits.max_budget_usd:
        found.append(_compare_dollars(limits.max_budget_usd, used))
    if limits.task_budget_tokens:
        tokens = used.tokens or 0
        text = f"{tokens} of {limits.task_budget_tokens} tokens"
        found.append(LimitUse(limit="task_budget_tokens", share=tokens / limits.task_budget_tokens, message=text))
    if limits.max_turns:
        turns = count_turns(used)
        found.append(
            LimitUse(
                limit="max_turns",
                share=turns / limits.max_turns,
                message=f"{turns} of {limits.max_turns} turns",
                subtype="max_turns_reached",
                end_detail="max_turns",
            )
        )
    return found


def _compare_dollars(limit: float, used: SessionUsage) -> LimitUse:
    if used.tokens and used.cost_usd is None:
        models = ", ".join(each.model for each in used.models if each.cost_usd is None)
        return LimitUse(
            limit="max_budget_usd",
            share=1.0,
            message=f"no price is known for {models}; give one in prices.json of the state folder",
            subtype="price_unknown",
            end_reason="failed",
            end_detail="price_unknown",
        )
    cost = used.cost_usd or 0.0
    how = " (estimated)" if used.estimated else ""
    return LimitUse(limit="max_budget_usd", share=cost / limit, message=f"{cost:.4f} of {limit:g} dollars{how}")


def is_enforced(ref: SessionRef) -> bool:
    """Return True while the limit process of the session runs."""
    return files.is_locked(os.path.join(ref.project.folder, "locks", f"{ref.session}.{limit_records.LOCK}"))


def is_lost(ref: SessionRef) -> bool:
    """Return True if a session has limits whose process has ended, or could not start.

    The process exists only once the supervisor runs, and needs a moment to load: until then it is not lost.
    """
    if not files.exists(ref.file(limit_records.FILE)) or is_enforced(ref):
        return False
    if any(files.exists(ref.file(name)) for name in (limit_records.PID_FILE, limit_records.ERROR_FILE)):
        return not is_enforced(ref)  # it may have begun after the first look
    limits = limit_records.read_limits(ref)
    return limits is None or Clock().monotonic() - limits.started_monotonic > START_SECONDS


def describe_limits(ref: SessionRef, run_id: str = "") -> SessionLimits | None:
    """Return the limits of a session with the use that is counted so far; None without limits."""
    limits = limit_records.read_limits(ref, run_id)
    if limits is None:
        return None
    used, progress = usage_state.read_state(ref, limits.run_id), limit_records.read_progress(ref, limits.run_id)
    total, own = used.sum_models(), _read_own_cost(ref) if limits.max_budget_usd else None
    cost = own if own is not None else None if total.unpriced else round(total.cost_usd, 6)
    ttl = limits.ttl_seconds
    return SessionLimits(
        max_turns=limits.max_turns or UNSET,
        turns=count_turns(used) if limits.max_turns else UNSET,
        max_budget_usd=limits.max_budget_usd or UNSET,
        cost_usd=cost if limits.max_budget_usd else UNSET,
        cost_estimated=own is None if limits.max_budget_usd else UNSET,
        task_budget_tokens=limits.task_budget_tokens or UNSET,
        tokens=total.total_tokens if limits.task_budget_tokens else UNSET,
        ttl_seconds=ttl or UNSET,
        expires_at=format_rfc3339(limits.started_at + ttl) if ttl else UNSET,
        one_shot=limits.one_shot or UNSET,
        on_limit=limits.on_limit or UNSET,
        continues_at=_find_continuation(ref) if limits.on_limit == "wait" else UNSET,
        enforced=not is_lost(ref),
        warned=tuple(notice.limit for notice in progress.notices if notice.subtype == "budget_warning") or UNSET,
        reached=progress.reached or UNSET,
    )


def _find_continuation(ref: SessionRef) -> str | UnsetType:
    """Return the time at which a turn continues after a usage limit."""
    from lisa_py.store import outbox_records  # noqa: PLC0415 - few sessions wait for the end of a limit

    try:
        texts = outbox_records.registry(ref).read().open
    except LisaError:
        return UNSET
    due = [each.due_at for each in texts if each.at_limit and each.state == "queued"]
    return format_rfc3339(min(due)) if due else UNSET


def _read_own_cost(ref: SessionRef) -> float | None:
    """Return the agent's own account in dollars; None if it has none."""
    meta = load_readable(ref.meta, SessionMeta)
    if meta is None or meta.custom_command or meta.agent not in agents.names():
        return None
    return agents.get(meta.agent).read_own_cost(ref.folder)
