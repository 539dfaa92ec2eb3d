"""Show what is new in a session's pack since the last call."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.relay import diff_pack
from lisa_py.core.relay.diff_pack import Baseline, Diff, DiffRequest, Made
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.pack import Seen


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    strategy: flags.Strategy = "balanced"
    events: flags.Events = 8
    lines: flags.Lines = 120
    token_budget: flags.TokenBudget = 700
    cursor_file: Annotated[
        str, Flag(help="file that remembers the last pack; default: in the session's own folder", metavar="PATH")
    ] = ""
    cursor_reset: flags.CursorReset = False
    redact: flags.Redact = ""
    semantic_only: Annotated[bool, Flag(help="only lines that mean something; times do not make a line another")] = (
        False
    )


class DiffPack(Diff, frozen=True, kw_only=True, rename="camel"):
    """What is new, where it was read, and the pack itself."""

    source: str
    """Where the output was read: transcript, pane, saved or none."""
    cursor_recovered: bool | UnsetType = UNSET
    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """How often each rule found something."""
    pack: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    events: int | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    semantic_lines: tuple[str, ...] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> DiffPack:
    mask = Mask(args.redact)
    place = ctx.place(args.session, args.project_root)
    known = diff_pack.baseline(ctx, place, args.cursor_file, semantic_only=args.semantic_only, reset=args.cursor_reset)
    request = DiffRequest(
        strategy=args.strategy,
        events=args.events,
        lines=args.lines,
        token_budget=args.token_budget,
        semantic_only=args.semantic_only,
    )
    made = diff_pack.make(ctx, place, request, known, mask)
    if _is_worth_remembering(made.seen, known):
        diff_pack.save(ctx, known, made.text, made.meaning)
    return _answer(made, known, mask)


def _is_worth_remembering(seen: Seen, known: Baseline) -> bool:
    """Not what tmux could not tell; and nothing in the folder of a session that there is not."""
    if seen.error_code is UNSET:
        return True
    return seen.error_code == "session_not_found" and not known.owned


def _answer(made: Made, known: Baseline, mask: Mask) -> DiffPack:
    seen = made.seen
    return DiffPack(
        **structs.asdict(made.diff),
        source=seen.tail.source,
        cursor_recovered=known.recovered or UNSET,
        redact_rules=mask.rules or UNSET,
        redacted=mask.counts if mask.on else UNSET,
        pack=made.text,
        reason=seen.reason,
        events=len(seen.recent),
        dropped_recent=seen.dropped_recent,
        project_root=seen.project_root,
        semantic_lines=made.meaning if made.diff.semantic_only else UNSET,
    )


FULL_ONLY = ("pack", "reason", "events", "dropped_recent", "project_root", "semantic_lines")


def smaller(answer: DiffPack, args: Args) -> DiffPack:
    """What a polling loop needs."""
    return structs.replace(answer, **dict.fromkeys(FULL_ONLY, UNSET))


def text(answer: DiffPack, args: Args) -> str:
    counts = f"added={len(answer.added_lines)} removed={len(answer.removed_lines)}"
    return f"changed={str(answer.changed).lower()} {counts} cursor={answer.cursor_file}"


COMMAND = Command(
    args=Args,
    answer=DiffPack,
    run=run,
    text=text,
    min=smaller,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors={
        "invalid_strategy": "not terse, balanced or full",
        "invalid_events": "not a number of at least 1",
        "invalid_lines": "not a number of at least 1",
        "invalid_token_budget": "not a number of at least 1",
        "invalid_redact_rules": "--redact names a rule there is not, or none beside others",
        "invalid_cursor_file": "the cursor file cannot be read, or is another command's; --cursor-reset sets it aside",
        "cursor_file_write_failed": "the cursor file could not be written",
        "semantic_cursor_read_failed": "the file of known lines cannot be read; --cursor-reset sets it aside",
        "semantic_cursor_write_failed": "the file of known lines could not be written",
    },
    example="lisa session diff-pack --session lisa-demo-1 --semantic-only --json-min",
    notes="""\
The first call shows everything as new. A session that has done nothing since is `changed: false`: looking leaves no
trace, and ages do not count. With the default cursor all callers share one place; give each its own --cursor-file.
While tmux cannot be asked nothing is remembered, so that the next call compares with what was last seen.""",
)
