"""Remember the meaningful lines a session shows, and what is new since the last look."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import MOST_HOURS, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.relay import memory
from lisa_py.core.relay.memory import Diff, Refreshed
from lisa_py.store import memory as memories
from lisa_py.store.memory import Memory
from lisa_py.store.places import Place


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    refresh: Annotated[bool, Flag(help="look at the session and remember what it shows")] = False
    semantic_diff: Annotated[bool, Flag(help="also say which lines are new and which are gone")] = False
    ttl_hours: Annotated[
        int, Flag(help="forget it after so many hours (with --refresh)", minimum=1, maximum=MOST_HOURS)
    ] = 24
    max_lines: Annotated[int, Flag(help="how many lines to remember (with --refresh)", minimum=1)] = memories.LINES


class DeltaMetadata(Struct, frozen=True, kw_only=True, rename="camel"):
    baseline_line_count: int
    current_line_count: int
    delta_count: int
    max_lines: int


class Remembered(Struct, frozen=True, kw_only=True, rename="camel"):
    session: str
    project_root: str
    updated_at: str
    expires_at: str
    max_lines: int
    line_count: int
    lines: tuple[str, ...]
    refresh: bool
    path: str
    source: str | UnsetType = UNSET
    """Where the lines were read: pane, saved (last screen of an ended session) or none."""
    delta_lines: tuple[str, ...] | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta_path: str | UnsetType = UNSET
    """Where the last screen is kept once the session has ended."""
    delta_metadata: DeltaMetadata | UnsetType = UNSET
    semantic_diff: Diff | UnsetType = UNSET
    semantic_diff_source: str | UnsetType = UNSET
    """live_vs_cached or refresh_vs_previous."""
    recovered: bool | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Remembered:
    place = ctx.place(args.session, args.project_root)
    if args.refresh:
        renewed = memory.refresh(ctx, place, ttl_hours=args.ttl_hours, max_lines=args.max_lines)
        diff = memory.diff(renewed.previous, renewed.memory.lines) if args.semantic_diff else UNSET
        return _renewed(place, renewed, diff)
    found = memory.recall(ctx, place)
    diff = memory.diff(found.lines, memory.shown(ctx, place).lines[-found.max_lines :]) if args.semantic_diff else UNSET
    return _answer(place, found, diff, "live_vs_cached")


def _renewed(place: Place, renewed: Refreshed, diff: Diff | UnsetType) -> Remembered:
    current = renewed.memory
    return _answer(
        place,
        current,
        diff,
        "refresh_vs_previous",
        refresh=True,
        source=renewed.source,
        delta_lines=renewed.delta,
        delta_count=len(renewed.delta),
        delta_path=place.output,
        delta_metadata=DeltaMetadata(
            baseline_line_count=len(renewed.previous),
            current_line_count=len(current.lines),
            delta_count=len(renewed.delta),
            max_lines=current.max_lines,
        ),
        recovered=renewed.recovered or UNSET,
    )


def _answer(
    place: Place,
    found: Memory,
    diff: Diff | UnsetType,
    compared: str,
    *,
    refresh: bool = False,
    source: str | UnsetType = UNSET,
    delta_lines: tuple[str, ...] | UnsetType = UNSET,
    delta_count: int | UnsetType = UNSET,
    delta_path: str | UnsetType = UNSET,
    delta_metadata: DeltaMetadata | UnsetType = UNSET,
    recovered: bool | UnsetType = UNSET,
) -> Remembered:
    return Remembered(
        session=place.session,
        project_root=place.project.root,
        updated_at=found.updated_at,
        expires_at=found.expires_at,
        max_lines=found.max_lines,
        line_count=len(found.lines),
        lines=found.lines,
        refresh=refresh,
        path=memories.registry(place).path,
        source=source,
        delta_lines=delta_lines,
        delta_count=delta_count,
        delta_path=delta_path,
        delta_metadata=delta_metadata,
        semantic_diff=diff,
        semantic_diff_source=compared if diff is not UNSET else UNSET,
        recovered=recovered,
    )


def text(answer: Remembered, args: Args) -> str:
    head = f"session={answer.session} lines={answer.line_count} refresh={str(answer.refresh).lower()}"
    lines = [head, *answer.lines]
    if isinstance(answer.semantic_diff, Diff):
        diff = answer.semantic_diff
        lines.append(f"semantic_diff added={len(diff.added)} removed={len(diff.removed)}")
    return "\n".join(lines)


COMMAND = Command(
    args=Args,
    answer=Remembered,
    run=run,
    text=text,
    errors={
        "invalid_ttl_hours": "--ttl-hours is a number of hours, at least 1",
        "invalid_max_lines": "--max-lines is a number of lines, at least 1",
        "memory_not_found": "nothing is remembered of the session, or no longer",
        "memory_read_failed": "the memory cannot be read; --refresh moves it aside",
        "memory_refresh_failed": "the session cannot be looked at, or the memory cannot be written",
    },
    notes="A memory outlives its session; handoff and context-pack tell its last lines.",
    example="lisa session memory --session lisa-demo-1 --refresh --semantic-diff --json",
)
