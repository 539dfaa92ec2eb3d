"""Put a session into few tokens for another agent: state, events, newest output, objective and memory."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot
from lisa_py.core.advice.given import Inputs
from lisa_py.core.context import Context
from lisa_py.core.relay import baton, pack, sections
from lisa_py.core.relay.blocks import ObjectiveBlock
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.memory import MemoryBlock
from lisa_py.core.relay.pack import PackRequest, Seen
from lisa_py.core.watch import hints


class Args(Struct, kw_only=True):
    session: Annotated[
        str, Flag(help="session name; needed unless --from-handoff names it", metavar="NAME", also=("--for",))
    ] = ""
    project_root: ProjectRoot = ""
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    events: Annotated[int | None, Flag(help="how many recent events; default by --strategy: 4, 8, 20", minimum=1)] = (
        None
    )
    lines: Annotated[
        int | None, Flag(help="how many lines of output, the newest; default by --strategy: 60, 120, 260", minimum=1)
    ] = None
    token_budget: Annotated[
        int | None,
        Flag(help="size limit of the pack in tokens of 4 bytes; default by --strategy: 400, 700, 1400", minimum=1),
    ] = None
    strategy: flags.Strategy = "balanced"
    from_handoff: Annotated[
        str, Flag(help="build from what handoff printed instead of looking; `-` is standard input", metavar="PATH|-")
    ] = ""
    redact: flags.Redact = ""


class ContextPack(Struct, frozen=True, kw_only=True, rename="camel"):
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
    """Where the output was read: transcript, pane, saved, handoff or none."""
    cut: tuple[str, ...] | UnsetType = UNSET
    """Sections that lost something to the budget."""
    waiting_for: str | UnsetType = UNSET
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: str | UnsetType = UNSET
    memory: MemoryBlock | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    events: int | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    from_handoff: str | UnsetType = UNSET
    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """How often each rule found something."""
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ContextPack:
    usual = pack.STRATEGIES[args.strategy]
    request = PackRequest(
        strategy=args.strategy,
        events=args.events or usual.events,
        lines=args.lines or usual.lines,
        agent=hints.agent(args.agent),
        mode=args.mode,
    )
    mask = Mask(args.redact)
    seen = _handed(args, ctx, request, mask) if args.from_handoff else _looked_at(args, ctx, request, mask)
    fitted = sections.fit(pack.draft(seen, args.strategy), args.token_budget or usual.token_budget)
    return _answer(args, seen, fitted, mask, args.token_budget or usual.token_budget)


def _looked_at(args: Args, ctx: Context, request: PackRequest, mask: Mask) -> Seen:
    if not args.session:
        raise UsageError("missing_required_flag", "--for is required (or --from-handoff with a session in it)")
    return pack.see(ctx, ctx.place(args.session, args.project_root), request, mask)


def _handed(args: Args, ctx: Context, request: PackRequest, mask: Mask) -> Seen:
    found = baton.load(Inputs(ctx), args.from_handoff)
    if args.session and found.session and args.session != found.session:
        raise LisaError(
            "from_handoff_session_mismatch",
            f"session mismatch: --for={args.session} --from-handoff session={found.session}",
        )
    name = args.session or found.session
    if not name:
        raise UsageError("missing_required_flag", "--for is required: the handoff names no session")
    place = ctx.place(name, args.project_root or found.project_root)
    return pack.handed(found, name, place.project.root, request, mask)


def _answer(args: Args, seen: Seen, fitted: sections.Fitted, mask: Mask, tokens: int) -> ContextPack:
    return ContextPack(
        session=seen.session,
        session_state=seen.session_state,
        status=seen.status,
        reason=seen.reason,
        next_action=seen.next_action,
        next_offset=seen.tail.next_offset,
        strategy=args.strategy,
        token_budget=tokens,
        truncated=fitted.truncated,
        pack=fitted.text,
        source=seen.tail.source,
        cut=fitted.cut or UNSET,
        waiting_for=seen.waiting_for or UNSET,
        objective=seen.objective,
        lane=seen.lane or UNSET,
        memory=seen.memory,
        project_root=seen.project_root,
        events=len(seen.recent),
        dropped_recent=seen.dropped_recent,
        from_handoff=mask.text(args.from_handoff) or UNSET,
        redact_rules=mask.rules or UNSET,
        redacted=mask.counts if mask.on else UNSET,
        error_code=seen.error_code,
    )


def smaller(answer: ContextPack, args: Args) -> ContextPack:
    """What a polling loop needs."""
    return structs.replace(answer, project_root=UNSET, events=UNSET, dropped_recent=UNSET, from_handoff=UNSET)


COMMAND = Command(
    args=Args,
    answer=ContextPack,
    run=run,
    text=lambda answer, args: answer.pack,
    min=smaller,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors={
        "invalid_agent_hint": "--agent names no agent lisa knows",
        "invalid_mode_hint": "not auto, interactive or exec",
        "invalid_events": "not a number of at least 1",
        "invalid_lines": "not a number of at least 1",
        "invalid_token_budget": "not a number of at least 1",
        "invalid_strategy": "not terse, balanced or full",
        "invalid_redact_rules": "--redact names a rule there is not, or none beside others",
        "invalid_from_handoff": "the handoff cannot be read or is none",
        "handoff_decompress_failed": "the handoff is packed, and damaged",
        "from_handoff_session_mismatch": "--for and the handoff name different sessions",
    },
    example="lisa session context-pack --for lisa-demo-1 --token-budget 700 --json-min\n"
    "lisa session handoff --session lisa-demo-1 --json | lisa session context-pack --from-handoff - --redact all",
    notes="""\
The output is that of the agent's transcript where there is one, else of the pane: `source` says which. A pack that is
too large keeps its state lines, the newest output and events, the beginning of the objective and the newest memory;
`cut` names the sections that gave way. --redact is done before anything is cut, in every field of the answer.""",
)
