"""Show the changes in the pack of a session since the last call."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.contract.projection import copy_fields, omit
from lisa_py.core.context import Context
from lisa_py.core.handoff import diff_pack
from lisa_py.core.handoff.diff_pack import DiffRequest, PackBaseline, PackComparison, PackDiff
from lisa_py.core.handoff.pack import PackFacts
from lisa_py.core.redact.redactor import Mask
from lisa_py.terminal import table
from lisa_py.terminal.table import Screen


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    strategy: flags.Strategy = "balanced"
    events: flags.Events = 8
    lines: flags.Lines = 120
    token_budget: flags.TokenBudget = 700
    cursor_file: Annotated[
        str, Flag(help="file with the last pack; default: in the session folder", metavar="PATH")
    ] = ""
    cursor_reset: flags.CursorReset = False
    redact: flags.Redact = ""
    semantic_only: Annotated[bool, Flag(help="only meaningful lines, compared without times")] = False


class DiffPackResult(PackDiff):
    """The changes, their source, and the pack itself."""

    source: str
    """Source of the output: transcript, pane, saved or none."""
    cursor_recovered: bool | UnsetType = UNSET
    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """Number of redactions per rule."""
    pack: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    events: int | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    semantic_lines: tuple[str, ...] | UnsetType = UNSET
    """The new meaningful lines, in the order of the pack."""


def run(args: Args, ctx: Context) -> DiffPackResult:
    mask = Mask(args.redact)
    ref = ctx.ref(args.session, args.project_root)
    baseline = diff_pack.read_baseline(
        ctx, ref, args.cursor_file, semantic_only=args.semantic_only, reset=args.cursor_reset
    )
    request = copy_fields(args, DiffRequest)
    comparison = diff_pack.build_diff(ctx, ref, request, baseline, mask)
    if _should_save_baseline(comparison.facts, baseline):
        diff_pack.save(ctx, baseline, comparison.text, comparison.semantic_lines)
    return _build_result(comparison, baseline, mask)


def _should_save_baseline(facts: PackFacts, baseline: PackBaseline) -> bool:
    """Store the pack as the new baseline, but not if tmux could not be queried or the session does not exist."""
    if facts.error_code is UNSET:
        return True
    return facts.error_code == "session_not_found" and not baseline.owned


def _build_result(comparison: PackComparison, baseline: PackBaseline, mask: Mask) -> DiffPackResult:
    facts, added = comparison.facts, frozenset(comparison.diff.added_lines)
    new_lines = tuple(line for line in comparison.semantic_lines if line in added)
    return DiffPackResult(
        **structs.asdict(comparison.diff),
        source=facts.tail.source,
        cursor_recovered=baseline.recovered or UNSET,
        redact_rules=mask.rules or UNSET,
        redacted=mask.counts if mask.is_active else UNSET,
        pack=comparison.text,
        reason=facts.reason,
        events=len(facts.recent),
        dropped_recent=facts.dropped_recent,
        project_root=facts.project_root,
        semantic_lines=new_lines if comparison.diff.semantic_only else UNSET,
    )


FULL_ONLY = ("pack", "reason", "events", "dropped_recent", "project_root", "semantic_lines")


def minimize(answer: DiffPackResult, args: Args) -> DiffPackResult:
    """Return the fields for polling loops."""
    return omit(answer, *FULL_ONLY)


def text(answer: DiffPackResult, args: Args) -> str:
    counts = f"added={len(answer.added_lines)} removed={len(answer.removed_lines)}"
    return f"changed={str(answer.changed).lower()} {counts} cursor={answer.cursor_file}"


def format_terminal(answer: DiffPackResult, args: Args, screen: Screen) -> str:
    """Return the added and removed lines."""
    head = f"{answer.session} ({answer.session_state}): "
    if not answer.changed:
        return head + "nothing new since the last call"
    lines = [screen.paint("32", f"+ {line}") for line in answer.added_lines]
    lines += [screen.paint(table.ALERT, f"- {line}") for line in answer.removed_lines]
    return "\n".join([f"{head}{len(answer.added_lines)} lines added, {len(answer.removed_lines)} removed", *lines])


COMMAND = Command(
    group="reading",
    args=Args,
    answer=DiffPackResult,
    run=run,
    text=text,
    terminal=format_terminal,
    min=minimize,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors=(
        "invalid_cursor_file",
        "cursor_file_write_failed",
        "semantic_cursor_read_failed",
        "semantic_cursor_write_failed",
    ),
    example="lisa session diff-pack --session lisa-demo-1 --semantic-only --json-min",
    notes="""\
The first call reports everything as new. An unchanged session is `changed: false`; reading leaves no trace and ages are
ignored. All callers share the default cursor; give each its own --cursor-file. If tmux cannot be queried, no cursor is
written, so that the next call compares with the last successful one.""",
)
