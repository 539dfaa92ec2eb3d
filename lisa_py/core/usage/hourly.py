"""Usage per hour and identity: write what sessions have used to the log, and read it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import msgspec

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.usage import UsagePoint
from lisa_py.core.context import Context
from lisa_py.core.usage.usage_reader import UNKNOWN_MODEL, UsageReader
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import live_records, paths, session_index, session_records, usage_log, usage_state
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.usage_log import UsageRow
from lisa_py.store.usage_state import TokenTally, UsageState

HOUR = 3600
_UNSAFE = re.compile(r"[^A-Za-z0-9._~-]+")


def project_identity(project: Project) -> str:
    """Return the identity of a project: the name of its folder and its hash."""
    name = _UNSAFE.sub("-", os.path.basename(project.root)).strip("-.") or "root"
    return f"{name}-{project.hash}"


def list_identities(ctx: Context, project: Project | None) -> tuple[str, ...]:
    """Return the names under which usage is logged, of one project or of all (None)."""
    return tuple(sorted({name for _, row in read_selection(ctx, project) for name in row.identities}))


def read_hours(ctx: Context, project: Project | None, *, identity: str = "", hours: int = 0) -> tuple[UsagePoint, ...]:
    """Return the logged usage per hour and model, oldest first; without an identity that of all sessions.

    `hours` is the number of hours back from now; 0 is everything.
    """
    return _sum_rows(row for _, row in read_selection(ctx, project, identity=identity, hours=hours))


def read_known(ctx: Context, project: Project | None, identity: str) -> tuple[UsagePoint, ...]:
    """Return the logged usage of an identity. Raise LisaError(identity_not_found)."""
    usage = read_hours(ctx, project, identity=identity)
    if not usage:
        text = f"no usage of {identity} is known; lisa ai usage list prints the names"
        raise LisaError("identity_not_found", text, identity=identity)
    return usage


def read_selection(
    ctx: Context, project: Project | None, *, identity: str = "", hours: int = 0
) -> Iterator[tuple[Project, UsageRow]]:
    """Yield the lines of the log that `read_hours` sums up, each with its project."""
    since = format_rfc3339(ctx.clock.now() - (hours - 1) * HOUR)[:13] if hours else ""
    for each in [project] if project is not None else _list_projects(ctx):
        for row in usage_log.read_rows(each, since):
            if not identity or identity in row.identities:
                yield each, row


def _list_projects(ctx: Context) -> list[Project]:
    """Return all projects with records; only their folders are known of those whose sessions are gone."""
    state_dir = ctx.settings.state_dir
    return [
        Project(root="", hash=digest, slug="", folder=os.path.join(state_dir, "projects", digest), socket="")
        for digest in paths.list_project_hashes(ctx.settings)
    ]


def _sum_rows(rows: Iterable[UsageRow]) -> tuple[UsagePoint, ...]:
    sums: dict[tuple[str, str, str], UsagePoint] = {}
    for row in rows:
        model = row.model or UNKNOWN_MODEL
        key = (row.hour, model, row.provider)
        before = sums.get(key)
        point = UsagePoint(
            hour=f"{row.hour}:00:00Z",
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cache_read_tokens=row.cache_read_tokens,
            cost_usd=row.cost_usd,
            estimated=row.estimated,
            model=model,
            provider=row.provider,
        )
        sums[key] = point if before is None else _add(before, point)
    return tuple(sums[key] for key in sorted(sums))


def _add(first: UsagePoint, second: UsagePoint) -> UsagePoint:
    unknown = first.cost_usd is None or second.cost_usd is None
    return msgspec.structs.replace(
        first,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cache_read_tokens=first.cache_read_tokens + second.cache_read_tokens,
        cost_usd=None if unknown else round((first.cost_usd or 0.0) + (second.cost_usd or 0.0), 6),
        estimated=first.estimated or second.estimated,
    )


# -- writing ------------------------------------------------------------------------------------------------------


def collect(ctx: Context, project: Project | None) -> None:
    """Count the sessions that have records, and log what is new; those that cannot be read are left out."""
    index = session_index.index_all_projects(ctx.settings) if project is None else session_index.index_project(project)
    for known in index.sessions:
        collect_session(ctx, known.ref)


def collect_session(ctx: Context, ref: SessionRef) -> None:
    """Count a session and log what is new; warn if it cannot be read."""
    reader = UsageReader(ctx, ref)
    try:
        reader.read()
        log_usage(ctx, ref, reader.own_cost())
    except (LisaError, OSError) as problem:
        ctx.warn(f"usage of {ref.session} is not counted: {problem}")


def log_ended_hours(ctx: Context, ref: SessionRef, reader: UsageReader) -> None:
    """Log what was used in hours that have ended."""
    now = format_rfc3339(ctx.clock.now())[:13]
    if any(key.partition(" ")[0] < now for key in reader.state.unlogged):
        log_usage(ctx, ref, reader.own_cost())


def log_usage(ctx: Context, ref: SessionRef, own_cost: float | None) -> None:
    """Append what the session has used since the last call to the log; on a full disk it waits for the next.

    `own_cost` is the agent's own account in dollars.
    """
    record = live_records.read_readable(ref)
    if record is None:
        return
    try:
        with session_records.session_lock(ref, ctx.settings, "usage"):
            state = usage_state.read_state(ref, record.run_id)
            rows = _build_rows(ref, record, ctx.read_meta(ref) or SessionMeta(session=ref.session), state, own_cost)
            if not rows:
                return
            usage_log.append_rows(ref.project, rows, ctx.clock.now())
            state.batch += len(rows)
            state.unlogged = {}
            state.logged_cost_usd = own_cost if own_cost is not None else state.logged_cost_usd
            usage_state.write_state(ref, state)
    except LisaError as problem:
        if problem.code not in ("store_unwritable", "state_lock_timeout"):
            raise


def _build_rows(
    ref: SessionRef, record: SessionRecord, meta: SessionMeta, state: UsageState, own_cost: float | None
) -> list[UsageRow]:
    names = (record.definition, project_identity(ref.project), meta.oauth_token_id)
    identities = tuple(dict.fromkeys(_UNSAFE.sub("-", name) for name in names if name))
    new = [(key, tally) for key, tally in sorted(state.unlogged.items()) if tally.total_tokens]
    costs = _share_cost([tally for _, tally in new], own_cost, state.logged_cost_usd)
    rows = []
    for number, ((key, tally), cost) in enumerate(zip(new, costs, strict=True), state.batch):
        hour, _, model = key.partition(" ")
        rows.append(
            UsageRow(
                hour=hour,
                session=record.id,
                batch=number,
                model=model,
                provider=tally.provider,
                input_tokens=tally.input_tokens,
                output_tokens=tally.output_tokens,
                cache_read_tokens=tally.cache_read_tokens,
                cache_write_tokens=tally.cache_write_tokens,
                cost_usd=cost,
                estimated=own_cost is None,
                name=ref.session,
                lane=meta.lane,
                identities=identities,
            )
        )
    return rows


def _share_cost(tallies: list[TokenTally], own: float | None, logged: float) -> list[float | None]:
    """Return the dollars of each tally; the agent's own new ones are shared by the price table, else by tokens."""
    if own is None:
        return [None if tally.unpriced else round(tally.cost_usd, 6) for tally in tallies]
    weights = [tally.cost_usd for tally in tallies]
    if any(tally.unpriced for tally in tallies) or not sum(weights):  # a price of 0 gives no shares
        weights = [float(tally.total_tokens) for tally in tallies]
    total = sum(weights) or 1.0
    return [round((own - logged) * weight / total, 6) for weight in weights]
