"""Summarise a session in few tokens for another agent: state, events, output, objective and memory."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.answer import RedactedAnswer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot
from lisa_py.contract.projection import copy_fields, omit
from lisa_py.core.context import Context
from lisa_py.core.handoff import handoff_reader, pack, sections
from lisa_py.core.handoff.blocks import ObjectiveBlock
from lisa_py.core.handoff.pack import PackFacts, PackRequest
from lisa_py.core.handoff.session_memory import MemoryBlock
from lisa_py.core.inputs import Inputs
from lisa_py.core.redact.redactor import Mask


class Args(Struct, kw_only=True):
    session: Annotated[
        str,
        Flag(help="session name; optional with --from-handoff", metavar="NAME", other_spellings=("--for",)),
    ] = ""
    project_root: ProjectRoot = ""
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    events: Annotated[int | None, Flag(help="number of recent events; default by --strategy: 4, 8, 20", minimum=1)] = (
        None
    )
    lines: Annotated[
        int | None, Flag(help="newest lines of output; default by --strategy: 60, 120, 260", minimum=1)
    ] = None
    token_budget: Annotated[
        int | None,
        Flag(help="size limit in tokens; default by --strategy: 400, 700, 1400", minimum=1),
    ] = None
    strategy: flags.Strategy = "balanced"
    from_handoff: Annotated[str, Flag(help="handoff output as input; `-` is standard input", metavar="PATH|-")] = ""
    redact: flags.Redact = ""


class ContextPackResult(RedactedAnswer):
    session: str
    session_state: str
    status: str
    reason: str
    next_action: str
    next_offset: int
    strategy: str
    token_budget: int
    truncated: bool
    pack: str
    source: str
    """Source of the output: transcript, pane, saved, handoff or none."""
    cut: tuple[str, ...] | UnsetType = UNSET
    """Sections cut for the budget."""
    waiting_for: str | UnsetType = UNSET
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: str | UnsetType = UNSET
    memory: MemoryBlock | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    events: int | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    from_handoff: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ContextPackResult:
    defaults = pack.STRATEGIES[args.strategy]
    request = PackRequest(
        strategy=args.strategy,
        events=args.events or defaults.events,
        lines=args.lines or defaults.lines,
        agent=agents.parse_agent_hint(args.agent),
        mode=args.mode,
    )
    mask = Mask(args.redact)
    facts = _read_handoff(args, ctx, request, mask) if args.from_handoff else _read_session(args, ctx, request, mask)
    fitted = sections.fit(pack.build_draft(facts, args.strategy), args.token_budget or defaults.token_budget)
    return _build_result(args, facts, fitted, mask, args.token_budget or defaults.token_budget)


def _read_session(args: Args, ctx: Context, request: PackRequest, mask: Mask) -> PackFacts:
    if not args.session:
        raise UsageError("missing_required_flag", "--for is required (or a --from-handoff that names a session)")
    return pack.collect_facts(ctx, ctx.ref(args.session, args.project_root), request, mask)


def _read_handoff(args: Args, ctx: Context, request: PackRequest, mask: Mask) -> PackFacts:
    handoff = handoff_reader.load(Inputs(ctx), args.from_handoff)
    if args.session and handoff.session and args.session != handoff.session:
        raise LisaError(
            "from_handoff_session_mismatch",
            f"session mismatch: --for={args.session} --from-handoff session={handoff.session}",
        )
    name = args.session or handoff.session
    if not name:
        raise UsageError("missing_required_flag", "--for is required: the handoff names no session")
    ref = ctx.ref(name, args.project_root or handoff.project_root)
    return pack.facts_from_handoff(handoff, name, ref.project.root, request, mask)


def _build_result(
    args: Args, facts: PackFacts, fitted: sections.FittedPack, mask: Mask, token_budget: int
) -> ContextPackResult:
    return copy_fields(
        facts,
        ContextPackResult,
        next_offset=facts.tail.next_offset,
        strategy=args.strategy,
        token_budget=token_budget,
        truncated=fitted.truncated,
        pack=fitted.text,
        source=facts.tail.source,
        cut=fitted.cut or UNSET,
        waiting_for=facts.waiting_for or UNSET,
        lane=facts.lane or UNSET,
        events=len(facts.recent),
        from_handoff=mask.mask_text(args.from_handoff) or UNSET,
        redact_rules=mask.rules or UNSET,
        redacted=mask.counts if mask.is_active else UNSET,
    )


def minimize(answer: ContextPackResult, args: Args) -> ContextPackResult:
    """Return the fields for polling loops."""
    return omit(answer, "project_root", "events", "dropped_recent", "from_handoff")


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=ContextPackResult,
    run=run,
    text=lambda answer, args: answer.pack,
    min=minimize,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors=(
        "invalid_from_handoff",
        "handoff_decompress_failed",
        "from_handoff_session_mismatch",
    ),
    example="lisa session context-pack --for lisa-demo-1 --token-budget 700 --json-min\n"
    "lisa session handoff --session lisa-demo-1 --json | lisa session context-pack --from-handoff - --redact all",
    notes="""\
The output comes from the transcript of the agent, else from the pane; `source` names which. A pack that is too large
keeps its state lines, the newest output and events, the beginning of the objective and the newest memory; `cut` names
the truncated sections. --redact is applied before truncation, in every field of the answer.""",
)
