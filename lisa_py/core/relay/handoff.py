"""The baton: a session's state, what to do next and its recent events, for whoever takes the session over."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_action
from lisa_py.core.advice.next_action import Ast, Subject
from lisa_py.core.context import Context
from lisa_py.core.relay import blocks, compression, memory, pane_text
from lisa_py.core.relay.blocks import LaneBlock, ObjectiveBlock
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.memory import MemoryBlock
from lisa_py.core.relay.recent import EventReader, Item, Recent
from lisa_py.core.watch import look
from lisa_py.store.lanes import Lane
from lisa_py.store.places import Place

SCHEMAS = ("v1", "v2", "v3", "v4")
_CONTRACTS = ("handoff_v2_required", "handoff_schema_v2_required")


class HandoffRequest(Struct, frozen=True, kw_only=True):
    schema: str = "v1"
    events: int = 8
    compress: bool = False
    redact: str = ""
    """The rules of `--redact`, as they were given."""
    agent: str = "auto"
    mode: str = "auto"


class State(Struct, frozen=True, kw_only=True, rename="camel"):
    status: str
    session_state: str
    reason: str
    summary: str
    id: str | UnsetType = UNSET


class NextAction(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    command: str
    id: str | UnsetType = UNSET
    command_ast: Ast | UnsetType = UNSET


class Risk(Struct, frozen=True, kw_only=True):
    level: str
    code: str
    message: str
    id: str | UnsetType = UNSET


class Question(Struct, frozen=True, kw_only=True):
    code: str
    question: str
    id: str | UnsetType = UNSET


class Handoff(Struct, frozen=True, kw_only=True, rename="camel"):
    """One baton; what is UNSET does not belong to its schema or situation."""

    session: str
    project_root: str | UnsetType = UNSET
    schema: str
    status: str
    session_state: str
    reason: str
    summary: str
    next_action: str | NextAction
    next_offset: int
    waiting_for: str | UnsetType = UNSET
    agent_state: str | UnsetType = UNSET
    recent: tuple[Item, ...] | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    delta_from: int | UnsetType = UNSET
    next_delta_offset: int | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta_remaining: int | UnsetType = UNSET
    """New events left for the next read."""
    delta_missed: int | UnsetType = UNSET
    """Events that were trimmed away before they were read."""
    delta_reset: bool | UnsetType = UNSET
    """The event log began anew since the cursor was taken."""
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: LaneBlock | UnsetType = UNSET
    memory: MemoryBlock | UnsetType = UNSET
    state: State | UnsetType = UNSET
    risks: tuple[Risk, ...] | UnsetType = UNSET
    open_questions: tuple[Question, ...] | UnsetType = UNSET
    compression: str | UnsetType = UNSET
    encoding: str | UnsetType = UNSET
    compressed_payload: str | UnsetType = UNSET
    uncompressed_bytes: int | UnsetType = UNSET
    compressed_bytes: int | UnsetType = UNSET
    checksum: str | UnsetType = UNSET
    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """How often each rule found something."""
    error_code: str | UnsetType = UNSET

    @property
    def wants_delta(self) -> bool:
        return self.delta_from is not UNSET


def build(
    ctx: Context,
    place: Place,
    request: HandoffRequest,
    reader: EventReader,
    *,
    status: Status | None = None,
    next_offset: int | None = None,
) -> Handoff:
    """Look at the session and pack what is seen; `status` and `next_offset` spare the look to who has them.

    Writes nothing but the reader's cursor file. Raises LisaError: invalid_redact_rules, handoff_schema_v2_required,
    handoff_compress_failed, cursor_file_write_failed.
    """
    mask = Mask(request.redact)
    meta = pane_text.meta_of(place)
    lane = blocks.lane_of(meta, place.project)
    check_contract(meta.lane, lane, request.schema)
    seen = look.shown(status or look.status(ctx, place, agent=request.agent, mode=request.mode))
    recent = reader.read(place, request.events)
    action = next_action.name(seen.session_state)
    subject = Subject(
        session=place.session,
        project_root=place.project.root,
        agent=meta.agent,
        mode=meta.mode,
        binary=next_action.binary(ctx.settings, ctx.cwd),
    )
    plain = Handoff(
        session=place.session,
        project_root=place.project.root,
        schema=request.schema,
        status=seen.status,
        session_state=seen.session_state,
        reason=seen.classification_reason,
        summary=f"state={seen.session_state} reason={seen.classification_reason} next={action}",
        next_action=action,
        next_offset=offset(ctx, place) if next_offset is None else next_offset,
        waiting_for=seen.waiting_for or UNSET,
        agent_state=seen.agent_state if seen.agent_state != "unknown" else UNSET,
        recent=recent.items,
        dropped_recent=recent.dropped,
        objective=blocks.objective(meta),
        lane=blocks.lane(meta, lane),
        memory=memory.block(ctx, place, mask),
        cursor_file=reader.path or UNSET,
        cursor_recovered=reader.recovered or UNSET,
        error_code="session_not_found" if seen.session_state == "not_found" else seen.error_code,
    )
    made = _masked(_enrich(_with_delta(plain, recent), subject, recent), mask)
    if request.compress:
        made = _compressed(made)
    reader.save(ctx)
    return made


def _masked(made: Handoff, mask: Mask) -> Handoff:
    """Without paths there is no project folder to go on in: whoever takes the baton is in it, or is told."""
    clean = mask.told(made)
    return msgspec.structs.replace(clean, project_root=UNSET) if mask.hides("paths") else clean


def offset(ctx: Context, place: Place) -> int:
    """Where `capture --raw --delta-from` goes on; 0 when there is no pane or tmux cannot be asked."""
    try:
        return pane_text.next_offset(ctx, place)
    except TmuxUnavailable:
        return 0


def check_contract(name: str, lane: Lane | None, schema: str) -> None:
    """Raises LisaError(handoff_schema_v2_required) when the lane's contract wants more than v1."""
    if lane is None or schema != "v1" or not any(word in lane.contract.lower() for word in _CONTRACTS):
        return
    raise LisaError(
        "handoff_schema_v2_required",
        f'handoff_schema_v2_required: lane "{name}" contract "{lane.contract}" requires --schema v2|v3|v4',
    )


def _with_delta(plain: Handoff, recent: Recent) -> Handoff:
    if recent.since is None:
        return plain
    return msgspec.structs.replace(
        plain,
        delta_from=recent.since,
        next_delta_offset=recent.next,
        delta_count=len(recent.items),
        delta_remaining=recent.remaining or UNSET,
        delta_missed=recent.missed or UNSET,
        delta_reset=recent.reset or UNSET,
    )


def _enrich(plain: Handoff, subject: Subject, recent: Recent) -> Handoff:
    """What v2 and later add: state, risks and questions as objects; v3: their ids; v4: the command as a tree."""
    level = SCHEMAS.index(plain.schema)
    if not level:
        return plain
    ids = _Ids(plain.session, plain.session_state, level >= 2)
    name = str(plain.next_action)
    command = next_action.action(name, subject)
    state = State(
        status=plain.status,
        session_state=plain.session_state,
        reason=plain.reason,
        summary=plain.summary,
        id=ids.make("state", 0),
    )
    action = NextAction(
        name=name,
        command=command.command,
        id=ids.make(f"nextAction:{name}", recent.newest),
        command_ast=command.command_ast if level >= 3 else UNSET,
    )
    risks = _risks(plain.session_state, bool(recent.items))
    questions = _questions(plain.session_state, bool(recent.items))
    return msgspec.structs.replace(
        plain,
        state=state,
        next_action=action,
        risks=tuple(
            msgspec.structs.replace(risk, id=ids.make(f"risk:{risk.code}", row)) for row, risk in enumerate(risks)
        ),
        open_questions=tuple(
            msgspec.structs.replace(item, id=ids.make(f"question:{item.code}", row))
            for row, item in enumerate(questions)
        ),
    )


class _Ids:
    """Ids that stay the same while nothing has happened: made of session, state, kind and event number only."""

    def __init__(self, session: str, state: str, wanted: bool) -> None:
        self._head = f"{session}|{state}"
        self._wanted = wanted

    def make(self, kind: str, ordinal: int) -> str | UnsetType:
        if not self._wanted:
            return UNSET
        from hashlib import sha1  # noqa: PLC0415 - loads OpenSSL

        return "hid-" + sha1(f"{self._head}|{kind}|{ordinal}".encode(), usedforsecurity=False).hexdigest()[:12]


def _risks(state: str, has_events: bool) -> list[Risk]:
    found = []
    if state in ("crashed", "stuck"):
        found.append(Risk(level="high", code="terminal_failure", message="session reached terminal failure state"))
    if state == "degraded":
        found.append(
            Risk(
                level="medium",
                code="degraded_loop",
                message="session is degraded; monitor and recovery may be required",
            )
        )
    if not has_events:
        found.append(Risk(level="low", code="no_recent_events", message="handoff has no recent event history"))
    return found


def _questions(state: str, has_events: bool) -> list[Question]:
    found = []
    if state == "waiting_input":
        found.append(Question(code="next_instruction", question="What exact instruction should be sent next?"))
    if not has_events:
        found.append(
            Question(code="context_gap", question="Should events be increased to include more execution history?")
        )
    return found


def _compressed(plain: Handoff) -> Handoff:
    """Everything but the names of the session goes into the packed payload; the outer one loses its events."""
    inner = msgspec.structs.replace(plain, cursor_file=UNSET, cursor_recovered=UNSET, project_root=plain.project_root)
    packed = compression.pack(msgspec.json.encode(inner, order="sorted"))
    return msgspec.structs.replace(plain, recent=UNSET, **msgspec.structs.asdict(packed))
