"""Store the meaningful lines of a session and report changes."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import MAX_HOURS, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.handoff import session_memory
from lisa_py.core.handoff.session_memory import MemoryRefreshResult, SemanticDiff
from lisa_py.store import session_memory as memory_store
from lisa_py.store.paths import SessionRef
from lisa_py.store.session_memory import SessionMemory


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    refresh: Annotated[bool, Flag(help="storage of the current output of the session")] = False
    semantic_diff: Annotated[bool, Flag(help="added and removed lines")] = False
    ttl_hours: Annotated[int, Flag(help="lifetime in hours (with --refresh)", minimum=1, maximum=MAX_HOURS)] = 24
    max_lines: Annotated[int, Flag(help="number of lines to store (with --refresh)", minimum=1)] = memory_store.LINES


class DeltaMetadata(Answer):
    baseline_line_count: int
    current_line_count: int
    delta_count: int
    max_lines: int


class MemoryResult(Answer):
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
    """Source of the lines: pane, saved (last screen of an ended session) or none."""
    delta_lines: tuple[str, ...] | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta_path: str | UnsetType = UNSET
    """Path of the last screen after the session has ended."""
    delta_metadata: DeltaMetadata | UnsetType = UNSET
    semantic_diff: SemanticDiff | UnsetType = UNSET
    semantic_diff_source: str | UnsetType = UNSET
    """live_vs_cached or refresh_vs_previous."""
    recovered: bool | UnsetType = UNSET


def run(args: Args, ctx: Context) -> MemoryResult:
    ref = ctx.ref(args.session, args.project_root)
    if args.refresh:
        refreshed = session_memory.refresh(ctx, ref, ttl_hours=args.ttl_hours, max_lines=args.max_lines)
        diff = session_memory.diff(refreshed.previous, refreshed.memory.lines) if args.semantic_diff else UNSET
        return _build_refresh_result(ref, refreshed, diff)
    saved = session_memory.read_memory(ctx, ref)
    diff = (
        session_memory.diff(saved.lines, session_memory.read_shown_lines(ctx, ref).lines[-saved.max_lines :])
        if args.semantic_diff
        else UNSET
    )
    return _build_result(ref, saved, diff, "live_vs_cached")


def _build_refresh_result(
    ref: SessionRef, refreshed: MemoryRefreshResult, diff: SemanticDiff | UnsetType
) -> MemoryResult:
    current = refreshed.memory
    return _build_result(
        ref,
        current,
        diff,
        "refresh_vs_previous",
        refresh=True,
        source=refreshed.source,
        delta_lines=refreshed.delta,
        delta_count=len(refreshed.delta),
        delta_path=ref.output,
        delta_metadata=DeltaMetadata(
            baseline_line_count=len(refreshed.previous),
            current_line_count=len(current.lines),
            delta_count=len(refreshed.delta),
            max_lines=current.max_lines,
        ),
        recovered=refreshed.recovered or UNSET,
    )


def _build_result(
    ref: SessionRef,
    saved: SessionMemory,
    diff: SemanticDiff | UnsetType,
    diff_source: str,
    *,
    refresh: bool = False,
    source: str | UnsetType = UNSET,
    delta_lines: tuple[str, ...] | UnsetType = UNSET,
    delta_count: int | UnsetType = UNSET,
    delta_path: str | UnsetType = UNSET,
    delta_metadata: DeltaMetadata | UnsetType = UNSET,
    recovered: bool | UnsetType = UNSET,
) -> MemoryResult:
    return MemoryResult(
        session=ref.session,
        project_root=ref.project.root,
        updated_at=saved.updated_at,
        expires_at=saved.expires_at,
        max_lines=saved.max_lines,
        line_count=len(saved.lines),
        lines=saved.lines,
        refresh=refresh,
        path=memory_store.registry(ref).path,
        source=source,
        delta_lines=delta_lines,
        delta_count=delta_count,
        delta_path=delta_path,
        delta_metadata=delta_metadata,
        semantic_diff=diff,
        semantic_diff_source=diff_source if diff is not UNSET else UNSET,
        recovered=recovered,
    )


def text(answer: MemoryResult, args: Args) -> str:
    head = f"session={answer.session} lines={answer.line_count} refresh={str(answer.refresh).lower()}"
    lines = [head, *answer.lines]
    if isinstance(answer.semantic_diff, SemanticDiff):
        diff = answer.semantic_diff
        lines.append(f"semantic_diff added={len(diff.added)} removed={len(diff.removed)}")
    return "\n".join(lines)


COMMAND = Command(
    group="reading",
    args=Args,
    answer=MemoryResult,
    run=run,
    text=text,
    errors=(
        "memory_not_found",
        "memory_read_failed",
        "memory_refresh_failed",
    ),
    notes="The memory is kept after the session ends; handoff and context-pack include its last lines.",
    example="lisa session memory --session lisa-demo-1 --refresh --semantic-diff --json",
)
