"""What an agent shows of itself: asked through its agent file, from its own files, hooks, transcript and title."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lisa_py.agents.base import Agent, View
from lisa_py.contract import jsontext
from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.core.context import Context
from lisa_py.core.watch import transcript
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.subject import Evidence, Subject
from lisa_py.host import files
from lisa_py.store.places import Place

HOOKS_TAIL = 1 << 17
HOOKS_KEPT = 80
LIVE = ("agent_file", "title")
"""Signs that hold for this very moment, without a transcript."""
NEW_REST_SECONDS = 2.0
"""A rest so new may be the pause before a prompt that has been waiting in line, which the transcript tells."""


def ask(ctx: Context, subject: Subject, brief: bool, memory: Memory | None) -> None:
    """Fill in what the agent of a living session says; of an ended one, which conversation it was, and its tasks."""
    evidence = subject.evidence
    living = evidence.root is not None and evidence.end is None
    if evidence.custom or (living and not evidence.workload) or (not living and evidence.meta is None):
        return
    view = subject.view = _view(ctx, subject)
    try:
        evidence.binding = subject.agent.bind(view)
        path = evidence.binding.transcript
        evidence.transcript_at = files.modified(path) if path else 0.0
        evidence.prompted_at = _prompted_at(subject.agent, view)
        said = reports(subject) if brief and not _unanswered(evidence) else []
        if not any(_settled(report, view.now) for report in said):
            view.frames = _frames(subject.agent, path, memory)
            said = reports(subject) if living else []
        evidence.watch_paths = subject.agent.watch_paths(view, evidence.binding)
        evidence.frames, evidence.reports = view.frames, tuple(said)
        if not brief:
            evidence.todos = tuple(subject.agent.todos(view, evidence.binding))
    except OSError as problem:
        evidence.scan_error = str(problem)
        return
    bound = next((item for item in subject.tree if item.pid == evidence.binding.pid and item.alive), None)
    if bound is not None:
        evidence.agent_process, evidence.recognised = bound, True


def _settled(report: AgentReport, now: float) -> bool:
    """Whether this report alone tells the state."""
    new_rest = report.state == "idle" and report.at and abs(now - report.at) < NEW_REST_SECONDS
    return report.source in LIVE and not new_rest


def _view(ctx: Context, subject: Subject) -> View:
    evidence = subject.evidence
    return View(
        meta=evidence.meta or SessionMeta(session=evidence.session),
        processes=subject.tree,
        title=evidence.pane.title if evidence.pane else "",
        alternate=bool(evidence.pane and evidence.pane.alternate),
        hooks=hooks(subject.place),
        environ=ctx.settings.environ,
        now=ctx.clock.now(),
    )


def reports(subject: Subject) -> list[AgentReport]:
    """What the agent file makes of the view as it now is."""
    return subject.agent.reports(subject.view, subject.evidence.binding) if subject.view is not None else []


def _prompted_at(agent: Agent, view: View) -> float:
    prompts = (hook.get("at") for hook in reversed(view.hooks) if agent.turn_edge(hook) == "prompt")
    newest = next(prompts, 0.0)
    return float(newest) if isinstance(newest, int | float) else 0.0


def _unanswered(evidence: Evidence) -> bool:
    """An input was given that no hook shows as taken: the transcript may."""
    state = evidence.state
    return state.last_input_expects_turn and not evidence.begun_since(state.last_input_at)


def _frames(agent: Agent, path: str, memory: Memory | None) -> tuple[Frame, ...]:
    if not path:
        return ()
    if memory is None:
        return transcript.tail(agent, path)
    return memory.follow(agent, path)


def hooks(place: Place) -> tuple[Mapping[str, object], ...]:
    """The newest signals the agent's hooks left, oldest first, each with `hook` and `at` beside its payload."""
    size = files.size(place.hooks)
    if size <= 0:
        return ()
    lines = files.read_from(place.hooks, max(0, size - HOOKS_TAIL), HOOKS_TAIL).split(b"\n")
    found = []
    for line in lines[-HOOKS_KEPT - 1 :]:
        try:
            record = jsontext.decode(line) if line else None
        except msgspec.DecodeError:
            continue  # the torn first line of the window
        if isinstance(record, dict):
            payload = record.get("payload")
            extra = payload if isinstance(payload, dict) else {}
            found.append({**extra, "hook": record.get("hook", ""), "at": record.get("at", 0.0)})
    return tuple(found)
