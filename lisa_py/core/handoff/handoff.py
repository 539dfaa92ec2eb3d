"""Build a handoff: state, next action and recent events of a session for its successor."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import digests
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.advice import command_ast, next_step
from lisa_py.core.advice import target as advice_target
from lisa_py.core.advice.command_ast import CommandAst
from lisa_py.core.advice.next_step import Need, NextStep, Situation
from lisa_py.core.context import Context
from lisa_py.core.handoff import blocks, compression, session_memory
from lisa_py.core.handoff.blocks import LaneBlock, ObjectiveBlock
from lisa_py.core.handoff.session_memory import MemoryBlock
from lisa_py.core.output import pane_offset, pane_text
from lisa_py.core.output.events import EventDeltaAnswer, EventReader, RecentEvent, RecentEvents
from lisa_py.core.redact.redactor import Mask
from lisa_py.core.send import open_dialog
from lisa_py.core.status import status_reader
from lisa_py.host.pane import Pane
from lisa_py.store import masked_values
from lisa_py.store.lanes import Lane
from lisa_py.store.paths import SessionRef

SCHEMAS = ("v1", "v2", "v3", "v4")
_CONTRACTS = ("handoff_v2_required", "handoff_schema_v2_required")


class HandoffRequest(Struct, frozen=True, kw_only=True):
    schema: str = "v1"
    events: int = 8
    compress: bool = False
    redact: str = ""
    """Value of `--redact`."""
    agent: str = "auto"
    mode: str = "auto"


class HandoffState(Answer):
    status: str
    session_state: str
    reason: str
    summary: str
    id: str | UnsetType = UNSET


class NextAction(Answer):
    name: str
    command: str
    reason: str
    id: str | UnsetType = UNSET
    command_ast: CommandAst | UnsetType = UNSET


class HandoffRisk(Struct, frozen=True, kw_only=True):
    level: str
    code: str
    message: str
    id: str | UnsetType = UNSET


class HandoffQuestion(Struct, frozen=True, kw_only=True):
    code: str
    question: str
    id: str | UnsetType = UNSET


class Handoff(EventDeltaAnswer):
    """One handoff; UNSET fields do not belong to its schema or situation."""

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
    recent: tuple[RecentEvent, ...] | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: LaneBlock | UnsetType = UNSET
    memory: MemoryBlock | UnsetType = UNSET
    state: HandoffState | UnsetType = UNSET
    risks: tuple[HandoffRisk, ...] | UnsetType = UNSET
    open_questions: tuple[HandoffQuestion, ...] | UnsetType = UNSET
    compression: str | UnsetType = UNSET
    encoding: str | UnsetType = UNSET
    compressed_payload: str | UnsetType = UNSET
    uncompressed_bytes: int | UnsetType = UNSET
    compressed_bytes: int | UnsetType = UNSET
    checksum: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET

    @property
    def wants_delta(self) -> bool:
        return self.delta_from is not UNSET


def build(
    ctx: Context,
    ref: SessionRef,
    request: HandoffRequest,
    reader: EventReader,
    *,
    status: Status | None = None,
    next_offset: int | None = None,
) -> Handoff:
    """Read the session and build its handoff; `status` and `next_offset` save the read if the caller has them.

    Only the cursor file is written. Raise LisaError: invalid_redact_rules, handoff_schema_v2_required,
    handoff_compress_failed, cursor_file_write_failed.
    """
    mask = Mask(request.redact, masked_values.read(ref))
    meta = pane_text.read_meta_or_default(ref)
    lane = blocks.find_lane(meta, ref.project)
    check_contract(meta.lane, lane, request.schema)
    pane: Pane | UnsetType | None = UNSET
    if status is None:
        evidence, status = status_reader.read_with_evidence(ctx, ref, agent=request.agent, mode=request.mode)
        pane = evidence.pane
        if request.schema != "v1":
            status = open_dialog.add_dialog(ctx, ref, status, evidence.pane)
    shown_status = status_reader.normalise_status(status)
    recent = reader.read(ref, request.events)
    situation = next_step.read_situation(shown_status, open_dialog.summarize_dialog(shown_status))
    step = next_step.recommend_step(situation, advice_target.build_target(ctx, ref))
    plain = Handoff(
        session=ref.session,
        project_root=ref.project.root,
        schema=request.schema,
        status=shown_status.status,
        session_state=shown_status.session_state,
        reason=shown_status.classification_reason,
        summary=f"state={shown_status.session_state} reason={shown_status.classification_reason} next={step.action}",
        next_action=step.action,
        next_offset=read_offset(ctx, ref, pane) if next_offset is None else next_offset,
        waiting_for=shown_status.waiting_for or UNSET,
        agent_state=shown_status.agent_state if shown_status.agent_state != "unknown" else UNSET,
        recent=recent.items,
        dropped_recent=recent.dropped,
        objective=blocks.build_objective(meta),
        lane=blocks.build_lane(meta, lane),
        memory=session_memory.build_block(ctx, ref, mask),
        cursor_file=reader.path or UNSET,
        cursor_recovered=reader.recovered or UNSET,
        error_code="session_not_found" if shown_status.session_state == "not_found" else shown_status.error_code,
        **recent.delta_fields(),
    )
    made = _mask_handoff(_enrich(plain, step, situation, recent), mask)
    if request.compress:
        made = _compress(made)
    reader.save(ctx)
    return made


def _mask_handoff(made: Handoff, mask: Mask) -> Handoff:
    """Omit the project folder if paths are redacted: the successor knows it or gets it separately."""
    clean = mask.annotate(made)
    return msgspec.structs.replace(clean, project_root=UNSET) if mask.hides("paths") else clean


def read_offset(ctx: Context, ref: SessionRef, pane: Pane | UnsetType | None = UNSET) -> int:
    """Return the offset for `capture --raw --delta-from`; 0 if there is no pane or tmux cannot be queried."""
    try:
        return pane_offset.next_offset(ctx, ref, pane)
    except TmuxUnavailable:
        return 0


def check_contract(name: str, lane: Lane | None, schema: str) -> None:
    """Raise LisaError(handoff_schema_v2_required) if the contract of the lane requires more than v1."""
    if lane is None or schema != "v1" or not any(word in lane.contract.lower() for word in _CONTRACTS):
        return
    raise LisaError(
        "handoff_schema_v2_required",
        f'handoff_schema_v2_required: lane "{name}" contract "{lane.contract}" requires --schema v2|v3|v4',
    )


def _enrich(plain: Handoff, step: NextStep, situation: Situation, recent: RecentEvents) -> Handoff:
    """Add the fields of v2: state, risks and questions as objects; of v3: their ids; of v4: the command as a tree."""
    level = SCHEMAS.index(plain.schema)
    if not level:
        return plain
    ids = _Ids(plain.session, plain.session_state, level >= 2)
    state = HandoffState(
        status=plain.status,
        session_state=plain.session_state,
        reason=plain.reason,
        summary=plain.summary,
        id=ids.make("state", 0),
    )
    action = NextAction(
        name=step.action,
        command=step.command,
        reason=step.reason,
        id=ids.make(f"nextAction:{step.action}", recent.newest),
        command_ast=command_ast.build_ast(step.line) if level >= 3 else UNSET,
    )
    risks = _find_risks(situation, bool(recent.items))
    questions = _find_questions(situation, bool(recent.items))
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
    """Ids that stay the same without new events: from session, state, kind and event number only."""

    def __init__(self, session: str, state: str, enabled: bool) -> None:
        self._head = f"{session}|{state}"
        self._enabled = enabled

    def make(self, kind: str, ordinal: int) -> str | UnsetType:
        if not self._enabled:
            return UNSET
        return "hid-" + digests.sha1(f"{self._head}|{kind}|{ordinal}".encode()).hexdigest()[:12]


_RISK_BY_NEED: Mapping[Need, tuple[str, str, str]] = {
    "answer": ("medium", "agent_asks", "agent asks"),
    "person": ("high", "person_needed", "agent waits for a person"),
    "login": ("high", "login_refused", "model refuses the login of the agent"),
    "quota": ("medium", "usage_limit", "agent is out of quota"),
}
"""Level, code and message of what keeps an agent from taking a prompt."""


def _find_risks(situation: Situation, has_events: bool) -> list[HandoffRisk]:
    found, state = [], situation.session_state
    if situation.need in _RISK_BY_NEED:
        level, code, message = _RISK_BY_NEED[situation.need]
        found.append(HandoffRisk(level=level, code=code, message=_describe(situation, message)))
    if situation.failed_turn:
        message = _describe(situation, "last turn ended in an error")
        found.append(HandoffRisk(level="medium", code="turn_failed", message=message))
    if state in ("crashed", "stuck"):
        found.append(
            HandoffRisk(level="high", code="terminal_failure", message="session reached terminal failure state")
        )
    if state == "degraded":
        found.append(
            HandoffRisk(
                level="medium",
                code="degraded_loop",
                message="session is degraded; monitor and recovery may be required",
            )
        )
    if not has_events:
        found.append(HandoffRisk(level="low", code="no_recent_events", message="handoff has no recent event history"))
    return found


def _describe(situation: Situation, message: str) -> str:
    return ": ".join(filter(None, (message, situation.detail or situation.waiting_for)))


def _find_questions(situation: Situation, has_events: bool) -> list[HandoffQuestion]:
    found = []
    if situation.need in ("answer", "person"):
        found.append(HandoffQuestion(code="agent_question", question=_describe(situation, "agent asks")))
    elif situation.need == "quota":
        found.append(HandoffQuestion(code="usage_limit", question="When is the usage limit of the agent lifted?"))
    elif situation.need == "login":
        found.append(HandoffQuestion(code="login", question="Who renews the login of the agent?"))
    elif situation.need == "input":
        found.append(HandoffQuestion(code="next_instruction", question="What exact instruction should be sent next?"))
    if not has_events:
        found.append(
            HandoffQuestion(
                code="context_gap", question="Should events be increased to include more execution history?"
            )
        )
    return found


def _compress(plain: Handoff) -> Handoff:
    """Compress everything but the names of the session; the outer payload loses its events."""
    inner = msgspec.structs.replace(plain, cursor_file=UNSET, cursor_recovered=UNSET, project_root=plain.project_root)
    packed = compression.pack(msgspec.json.encode(inner, order="sorted"))
    return msgspec.structs.replace(plain, recent=UNSET, **msgspec.structs.asdict(packed))
