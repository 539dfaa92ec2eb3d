"""Read an agent's own reports from its files, hooks, transcript and title."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lisa_py.agents.base import Agent, View
from lisa_py.contract import jsontext
from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.core.context import Context
from lisa_py.core.status import transcript
from lisa_py.core.status.agent_place import find_other_folder
from lisa_py.core.status.evidence import Evidence, SessionProbe
from lisa_py.core.status.own_hooks import select_own_hooks
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.host import files, processes
from lisa_py.host.pane import Pane
from lisa_py.host.processes import Process
from lisa_py.store.paths import SessionRef

HOOKS_TAIL = 1 << 17
HOOKS_KEPT = 80
MAX_HOOKS_BYTES = 64 << 20
LIVE_SOURCES = ("agent_file", "title")
"""Sources of reports on the present moment, which need no transcript."""
NEW_IDLE_SECONDS = 2.0
"""A newer idle state may be the pause before a queued prompt, which only the transcript shows."""


def read_agent_reports(ctx: Context, probe: SessionProbe, brief: bool, cache: PollCache | None) -> None:
    """Read the reports of a living session; of an ended one, only its conversation and task list."""
    evidence = probe.evidence
    living = evidence.root is not None and evidence.end is None
    if evidence.custom or (living and not evidence.workload) or (not living and evidence.meta is None):
        return
    view = probe.view = build_view(ctx, probe.ref, probe.agent, evidence.meta, tree=probe.tree, pane=evidence.pane)
    view.keys_at = evidence.state.keys_at
    try:
        evidence.binding = probe.agent.bind(view)
        view.hooks = tuple(hook for hook in view.hooks if not probe.agent.is_foreign(hook, evidence.binding))
        path = evidence.binding.transcript
        evidence.transcript_at = files.modified_at(path) if path else 0.0
        evidence.prompted_at = _prompted_at(probe.agent, view)
        found = read_reports(probe) if brief and not _has_unaccepted_input(evidence) else []
        if not any(_is_decisive(report, view.now) for report in found):
            view.frames = _read_frames(probe.agent, path, cache)
            found = read_reports(probe) if living else []
        evidence.watch_paths = probe.agent.watch_paths(view, evidence.binding)
        evidence.frames, evidence.reports = view.frames, tuple(found)
        if living:
            evidence.helpers = probe.agent.list_helpers(view, evidence.binding)
        if not brief:
            evidence.todos = tuple(probe.agent.todos(view, evidence.binding))
    except OSError as problem:
        evidence.scan_error = str(problem)
        return
    bound = next((item for item in probe.tree if item.pid == evidence.binding.pid and item.alive), None)
    if bound is not None:
        evidence.agent_process, evidence.recognised = bound, True
        evidence.working_folder = find_other_folder(view.meta.working_folder or probe.ref.project.root, bound)


def _is_decisive(report: AgentReport, now: float) -> bool:
    """Return True if this report alone determines the state."""
    is_new_idle = report.state == "idle" and report.at and abs(now - report.at) < NEW_IDLE_SECONDS
    return report.source in LIVE_SOURCES and not is_new_idle


def build_view(
    ctx: Context,
    ref: SessionRef,
    agent: Agent,
    meta: SessionMeta | None,
    *,
    tree: tuple[Process, ...] = (),
    pane: Pane | None = None,
    screen: str = "",
    frames: tuple[Frame, ...] = (),
) -> View:
    """Return the input of an agent file: the newest hook records of its own, and the values the caller has read."""
    view = View(
        meta=meta or SessionMeta(session=ref.session),
        processes=tree,
        title=pane.title if pane is not None else "",
        screen=screen,
        alternate=bool(pane is not None and pane.alternate),
        hooks=read_hooks(ref),
        frames=frames,
        environ=ctx.settings.environ,
        now=ctx.clock.now(),
    )
    process = agent.find_process(view) if view.hooks else None
    started_at = processes.started_at(process, processes.current_time()) if process else 0.0
    view.hooks = select_own_hooks(view, process.pid if process else 0, started_at)
    return view


def read_reports(probe: SessionProbe) -> list[AgentReport]:
    """Return the reports that the agent file derives from the current view."""
    return probe.agent.collect_reports(probe.view, probe.evidence.binding) if probe.view is not None else []


def _prompted_at(agent: Agent, view: View) -> float:
    prompts = (hook.get("at") for hook in reversed(view.hooks) if agent.turn_edge(hook) == "prompt")
    newest = next(prompts, 0.0)
    return float(newest) if isinstance(newest, int | float) else 0.0


def _has_unaccepted_input(evidence: Evidence) -> bool:
    """Return True if no hook confirms the newest input; the transcript may."""
    state = evidence.state
    return state.last_input_expects_turn and not evidence.accepted_prompt_since(state.last_input_at)


def _read_frames(agent: Agent, path: str, cache: PollCache | None) -> tuple[Frame, ...]:
    if not path:
        return ()
    if cache is None:
        return transcript.read_tail(agent, path)
    return cache.follow(agent, path)


def read_all_hooks(ref: SessionRef) -> tuple[Mapping[str, object], ...]:
    """Return all hooks of this run after those that name the conversations of earlier runs."""
    return (*_read_hook_file(ref.earlier_hooks, whole=True), *read_hooks(ref, whole=True))


def read_hooks(ref: SessionRef, *, whole: bool = False) -> tuple[Mapping[str, object], ...]:
    """Return the newest records of the agent's hooks, or all; each has `hook` and `at` beside its payload."""
    return _read_hook_file(ref.hooks, whole=whole)


def _read_hook_file(path: str, *, whole: bool) -> tuple[Mapping[str, object], ...]:
    size = files.size(path)
    if size <= 0:
        return ()
    count = MAX_HOOKS_BYTES if whole else HOOKS_TAIL
    lines = files.read_from(path, max(0, size - count), count).split(b"\n")
    found = []
    for line in lines if whole else lines[-HOOKS_KEPT - 1 :]:
        try:
            record = jsontext.decode(line, dict) if line else None
        except msgspec.DecodeError:
            continue  # the torn first line of the window
        if isinstance(record, dict):
            payload = record.get("payload")
            extra = payload if isinstance(payload, dict) else {}
            own = {"hook": record.get("hook", ""), "at": record.get("at", 0.0), "pid": record.get("pid", 0)}
            own |= {name: record[name] for name in ("dialog", "run") if name in record}
            found.append({**extra, **own})
    return tuple(found)
