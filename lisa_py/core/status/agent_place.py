"""Find where an agent keeps its files and works: a wrapper or a start-up file may have chosen other places."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files, processes
from lisa_py.host.processes import Process
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef

LOCK_MS = 200
"""Wait for a spawn or kill of the session; another reader records the place as well."""


class AgentPlace(Struct, frozen=True):
    """Where a started agent keeps its files and works; empty if unknown."""

    home: str = ""
    folder: str = ""


def read_agent_place(agent: Agent, start_folder: str, process: Process) -> AgentPlace:
    """Return the place of the agent's own process."""
    environ = processes.read_environment(process)
    home = agent.home(environ) if environ else ""
    return AgentPlace(os.path.join(start_folder, home) if home else "", processes.read_working_folder(process))


def find_other_folder(expected: str, process: Process) -> str:
    """Return the working folder of a process if it is not the expected one; else empty."""
    folder = processes.read_working_folder(process)
    if folder in ("", expected) or folder == files.canonical_path(expected):
        return ""
    return folder


def remember_home(ctx: Context, ref: SessionRef, evidence: Evidence) -> None:
    """Record where a living agent keeps its files: the spawn may have been too early to see it.

    Once the agent has ended, the record is the only way to its transcript. Never raise.
    """
    meta, process = evidence.meta, evidence.agent_process
    if meta is None or process is None or not evidence.binding.pid or process.pid != evidence.binding.pid:
        return
    home = read_agent_place(agents.get_or_default(evidence.agent), meta.working_folder, process).home
    if not home or home == meta.agent_home:
        return
    try:
        with session_records.session_lock(ref, ctx.settings, "name", timeout_ms=LOCK_MS):
            now = session_records.read_meta(ref)
            if now is not None and now.run_id == meta.run_id:
                session_records.write_meta(ref, msgspec.structs.replace(now, agent_home=home))
    except (LisaError, UnreadableRecord):
        return
