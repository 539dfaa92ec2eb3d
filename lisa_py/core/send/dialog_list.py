"""Find the open dialogs of a session: those whose hooks wait for a decision, else the one on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.dialogs import DecisionRecord, DialogQuestion, OpenDialog, PermissionCall
from lisa_py.contract.frames import Frame
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.send import open_dialog
from lisa_py.core.send.open_dialog import has_dialog
from lisa_py.core.status import agent_reports, status_reader, transcript
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import processes
from lisa_py.host.clock import format_rfc3339, parse_time
from lisa_py.store import dialogs
from lisa_py.store.dialogs import HookedDialog
from lisa_py.store.paths import SessionRef

CALL_KINDS = ("permission", "question")
"""Kinds of dialogs about a tool call."""
DECIDING_SECONDS = 10.0
"""Longest time in which a decision that another process makes on the screen takes effect."""
NEW_SECONDS = 2.0
"""Age up to which a waiting hook counts although the agent does not report its dialog yet."""


class FoundDialog(Struct, frozen=True, kw_only=True):
    """An open dialog, and where it is kept."""

    key: str
    """Key in the store."""
    dialog: OpenDialog


class PendingCall(Struct, frozen=True, kw_only=True):
    """A tool call of the transcript that has no result yet."""

    id: str
    name: str
    input: object


def list_dialogs(ctx: Context, ref: SessionRef) -> tuple[OpenDialog, ...]:
    """Return the open dialogs of a session, oldest first; those on the screen with their choices."""
    evidence, status = status_reader.read_with_evidence(ctx, ref)
    return tuple(found.dialog for found in find_dialogs(ctx, ref, evidence, status))


def find_dialogs(
    ctx: Context,
    ref: SessionRef,
    evidence: Evidence,
    status: Status,
    *,
    choices: bool = True,
    draw_seconds: float = open_dialog.DRAW_SECONDS,
    with_pressed: bool = False,
) -> tuple[FoundDialog, ...]:
    """Return the open dialogs at a read of the session; without `choices` the screen is not read for them.

    `draw_seconds` is the longest wait for choices that are not drawn yet.
    `with_pressed`: also one whose decision is being pressed by a process: it is open until the agent has taken it.
    """
    agent = agents.get_or_default(evidence.agent)
    waiting = [each for each in dialogs.list_waiting(ref) if not _is_foreign(each, evidence)]
    if not waiting and not has_dialog(status):
        return ()
    calls = {call.key: call for call in agent.list_permission_calls(agent_reports.read_hooks(ref))}
    frames = _read_frames(agent, evidence)
    hooked = [
        _build_hooked(ref, agent, each, calls.get(each.key), _leave_out_others(frames, calls, each.key))
        for each in waiting
        if _is_open(ctx, ref, each, status, with_pressed=with_pressed)
    ]
    if hooked or not has_dialog(status):
        return tuple(hooked)
    found = _build_shown(ctx, ref, agent, evidence, status, calls, frames, draw_seconds if choices else None)
    is_pressed = not with_pressed and _is_being_pressed(ctx, dialogs.read_decision(ref, found.key))
    return () if is_pressed else (found,)


def _leave_out_others(frames: Sequence[Frame], calls: Mapping[str, PermissionCall], key: str) -> Sequence[Frame]:
    """Return the frames without the calls that other dialogs are about."""
    others = {call.tool_use_id for call in calls.values() if call.key != key and call.tool_use_id}
    return [frame for frame in frames if frame.tool_id not in others]


def _is_foreign(dialog: HookedDialog, evidence: Evidence) -> bool:
    """Return True for the dialog of another agent that took over the settings of this one."""
    pid = evidence.binding.pid
    named = dialog.payload.get("session_id")
    return bool(pid and dialog.pid not in (0, pid) and named != evidence.binding.session_id)


def _is_open(ctx: Context, ref: SessionRef, dialog: HookedDialog, status: Status, *, with_pressed: bool) -> bool:
    """Return True if a hook waits for a decision; let it end if there is one, or if its dialog is closed.

    Where closings are recorded, a hook of the agent lets it end, which knows whether the call has run.
    """
    decision = dialogs.read_decision(ref, dialog.key)
    if decision is not None and decision.way == "hook":
        dialogs.release_decided(ref, dialog.key)  # the process that decided ended before it
        return False
    if _is_being_pressed(ctx, decision) and not (with_pressed and has_dialog(status)):
        return False
    if has_dialog(status) or ctx.clock.now() - dialog.at < NEW_SECONDS:
        return True
    if status.agent_state != "unknown" and not dialogs.records_closings(ref):
        dialogs.release_closed(ref, dialog.key)
    return False


def _is_being_pressed(ctx: Context, decision: DecisionRecord | None) -> bool:
    """Return True if a living process has just decided the dialog and presses its keys."""
    if decision is None or not 0 <= ctx.clock.now() - (parse_time(decision.at) or 0.0) < DECIDING_SECONDS:
        return False
    return processes.is_running(decision.pid, decision.process_started)


def _read_frames(agent: Agent, evidence: Evidence) -> Sequence[Frame]:
    path = evidence.binding.transcript
    return evidence.frames or (transcript.read_tail(agent, path) if path else ())


# -- a waiting hook -----------------------------------------------------------------------------------------------


def _build_hooked(
    ref: SessionRef, agent: Agent, dialog: HookedDialog, call: PermissionCall | None, frames: Sequence[Frame]
) -> FoundDialog:
    name = str(dialog.payload.get("tool_name") or "")
    given = dialog.payload.get("tool_input")
    use_id = call.tool_use_id if call is not None else ""
    if dialog.is_cut or not use_id:
        made = _find_call(list_open_calls(frames), use_id, name, None if dialog.is_cut else given)
        if made is not None:
            use_id, given = made.id, made.input if dialog.is_cut else given
    questions = agent.read_questions(name, given)
    return FoundDialog(
        key=dialog.key,
        dialog=OpenDialog(
            session=ref.session,
            project_root=ref.project.root,
            id=use_id or dialog.key,
            kind="question" if questions else "permission",
            way="hook",
            since=format_rfc3339(dialog.at, fraction=True),
            message=_describe(name, given, questions),
            tool_use_id=use_id or UNSET,
            tool_name=name or UNSET,
            tool_input=UNSET if given is None else given,
            questions=questions or UNSET,
        ),
    )


def digest(text: str) -> str:
    """Return eight hexadecimal digits for a text that no file name can hold."""
    return f"{crc32(text.encode()):08x}"


def list_open_calls(frames: Sequence[Frame]) -> tuple[PendingCall, ...]:
    """Return the tool calls without a result, oldest first."""
    finished = {frame.tool_id for frame in frames if frame.kind == "tool_result"}
    return tuple(
        PendingCall(id=frame.tool_id, name=frame.tool, input=frame.text if frame.input is None else frame.input)
        for frame in frames
        if frame.kind == "tool_use" and frame.tool_id not in finished
    )


def _find_newest_call(calls: Mapping[str, PermissionCall], frames: Sequence[Frame]) -> PermissionCall | None:
    """Return the newest call that the agent asked about, unless it has a result: then another dialog is open."""
    finished = {frame.tool_id for frame in frames if frame.kind == "tool_result"}
    newest = next(reversed(list(calls.values())), None)
    return None if newest is None or newest.tool_use_id in finished - {""} else newest


def _find_call(calls: Sequence[PendingCall], use_id: str, name: str, given: object) -> PendingCall | None:
    """Return the call of an id, else the first of this tool and input, or the only one of the tool."""
    if use_id:
        return next((call for call in calls if call.id == use_id), None)
    named = [call for call in calls if call.name == name]
    same = named if given is None or len(named) == 1 else [call for call in named if call.input == given]
    return next(iter(same), None)


def _describe(name: str, given: object, questions: Sequence[DialogQuestion]) -> str:
    """Return the questions, or the tool with its main input, in one line."""
    if questions:
        return " ".join("; ".join(question.question for question in questions).split())
    values = given.values() if isinstance(given, Mapping) else (given,)
    main = next((value for value in values if isinstance(value, str) and value), "")
    return " ".join(f"{name}: {main}".split())[:300] if main else name


# -- the dialog on the screen -------------------------------------------------------------------------------------


def _build_shown(
    ctx: Context,
    ref: SessionRef,
    agent: Agent,
    evidence: Evidence,
    status: Status,
    calls: Mapping[str, PermissionCall],
    frames: Sequence[Frame],
    draw_seconds: float | None,
) -> FoundDialog:
    """Return the dialog; `draw_seconds` is as above, None: without choices."""
    asks_about_call = status.waiting_for in CALL_KINDS
    asked = _find_newest_call(calls, frames) if asks_about_call else None
    open_calls = list_open_calls(frames) if asks_about_call else ()
    made = _find_call(open_calls, asked.tool_use_id, asked.tool_name, asked.tool_input) if asked is not None else None
    made = made or (open_calls[-1] if open_calls else None)
    shown = status
    if draw_seconds is not None:
        shown = open_dialog.add_drawn_dialogs(ctx, [(ref, status)], seconds=draw_seconds)[ref]
    question = shown.question if isinstance(shown.question, str) else ""
    text = " ".join((status.state_detail or question).split())
    name = made.name if made is not None else asked.tool_name if asked is not None else ""
    given = made.input if made is not None else asked.tool_input if asked is not None else None
    use_id = made.id if made is not None else asked.tool_use_id if asked is not None else ""
    key = asked.key if asked is not None else f"{status.waiting_for}-{digest(use_id or text)}"
    questions = agent.read_questions(name, given)
    at = asked.at if asked is not None else next((frame.at for frame in frames if frame.tool_id == use_id != ""), 0.0)
    return FoundDialog(
        key=key,
        dialog=OpenDialog(
            session=ref.session,
            project_root=ref.project.root,
            id=use_id or key,
            kind="question" if questions else status.waiting_for,
            way="screen",
            since=format_rfc3339(at or ctx.clock.now(), fraction=True),
            message=text if given is None else _describe(name, given, questions),
            tool_use_id=use_id or UNSET,
            tool_name=name or UNSET,
            tool_input=UNSET if given is None else given,
            questions=questions or UNSET,
            choices=shown.choices,
        ),
    )
