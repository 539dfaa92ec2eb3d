"""Read the status of sessions; nothing is written, except that a refused token of the pool is set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, structs

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.redact.redactor import build_session_mask
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.evidence_collector import collect_evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.status.verdict import judge
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef


def read_status(
    ctx: Context, ref: SessionRef, *, agent: str = "auto", mode: str = "auto", screen: bool = False
) -> Status:
    """Return the status of a session, also of a missing or unreadable one."""
    return read_with_evidence(ctx, ref, agent=agent, mode=mode, screen=screen)[1]


def read_statuses(ctx: Context, refs: Sequence[SessionRef], *, cache: PollCache | None = None) -> dict[str, Status]:
    """Return the statuses of many sessions by name, without details such as the task list."""
    return {status.session: status for status in read_status_list(ctx, refs, cache=cache)}


def read_status_list(
    ctx: Context,
    refs: Sequence[SessionRef],
    *,
    cache: PollCache | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[Status]:
    """Return one status per reference: names may occur in several projects."""
    return [status for _, status in read_many(ctx, refs, cache=cache, panes=panes)]


def read_many(
    ctx: Context,
    refs: Sequence[SessionRef],
    *,
    cache: PollCache | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[tuple[Evidence, Status]]:
    """Return evidence and status per reference."""
    found = collect_evidence(ctx, refs, brief=True, cache=cache, panes=panes)
    now = ctx.clock.now()
    return [
        (evidence, hide_secrets(ref, _complete(ctx, ref, evidence, judge(evidence, now))))
        for ref, evidence in zip(refs, found, strict=True)
    ]


def read_with_evidence(
    ctx: Context,
    ref: SessionRef,
    *,
    agent: str = "auto",
    mode: str = "auto",
    screen: bool = False,
    cache: PollCache | None = None,
) -> tuple[Evidence, Status]:
    """Return evidence and status of one session, in full detail."""
    evidence = collect_evidence(ctx, [ref], agent=agent, mode=mode, screen=screen, cache=cache)[0]
    return evidence, hide_secrets(ref, _complete(ctx, ref, evidence, judge(evidence, ctx.clock.now())))


def _complete(ctx: Context, ref: SessionRef, evidence: Evidence, status: Status) -> Status:
    """Return the status with what only some sessions have: a refused token, a limit."""
    if evidence.meta is not None and evidence.meta.oauth_token_id:
        from lisa_py.core.status import refused_token  # noqa: PLC0415 - only with a pooled token

        status = refused_token.set_aside(ctx, ref, evidence, status)
    if status.waiting_for != "limit":
        return status
    from lisa_py.core.status import usage_limit  # noqa: PLC0415 - only at a limit

    return usage_limit.add_limit(evidence, status, ctx.settings.environ)


def hide_secrets(ref: SessionRef, status: Status) -> Status:
    """Return the status without the secrets given to the session; without any text if they cannot be read."""
    try:
        return build_session_mask(ref).mask_record(status)
    except LisaError as problem:
        reports = tuple(structs.replace(report, detail="") for report in status.signals.reports)
        return structs.replace(
            status,
            active_task="",
            state_detail=problem.message,
            question=UNSET,
            choices=UNSET,
            limit=UNSET,
            signals=structs.replace(status.signals, reports=reports),
        )


def normalise_status(status: Status) -> Status:
    """Return the status as answers carry it: a terminal state is also the `status` word."""
    return structs.replace(status, status=status.status_word())
