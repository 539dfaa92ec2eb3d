"""Record of one session: its id, owner family, settings and end; every session has one."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.store import paths, session_records
from lisa_py.store.json_records import UnreadableRecord, load, load_readable, save
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.record import StoreRecord, check_session_files

FILE = "record.json"
_NAMESPACE = bytes.fromhex("5d0f8a1c7f0b4c3e9a52c6b1e4d7a380")


class RecordedUsage(Struct, kw_only=True, omit_defaults=True):
    """Sums of a session's transcripts."""

    input_tokens: int = 0
    """Input, cached or not."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    """Dollars; None if they are unknown."""
    estimated: bool = False
    """True if the dollars are those of the price table, not the agent's own."""
    num_turns: int = 0
    """Answers of the model, or ended turns if there are more of these."""
    ended_turns: int = 0
    model: str = ""
    """Model of the newest call."""
    last_activity_at: float = 0.0
    """Unix time of the newest call; 0 if there was none."""


class RecordedLaunch(Struct, kw_only=True, omit_defaults=True):
    """The start of a session as far as the other records do not have it, from which it can be started again."""

    agent_args: str = ""
    """Of the user, without those that continue a conversation."""
    trust: bool = False
    bypass: bool = False
    nested: bool = False
    nested_policy: str = "auto"
    nesting_intent: str = "auto"
    folder: str = ""
    """Working folder of the agent."""
    variables: tuple[str, ...] = ()
    """Names of the variables that the agent inherited; their values are not recorded."""


class SessionRecord(Struct, kw_only=True, omit_defaults=True):
    """`record.json` in the session folder; written by spawn, completed at the end of the session."""

    id: str
    session: str
    project_root: str = ""
    run_id: str = ""
    agent: str = ""
    family: str = "org"
    """Owner family: org (spawn, start-session) or user (chat)."""
    definition: str = ""
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)
    """Effective settings; secret values are references, or hidden."""
    keeps_permissions: bool = False
    """The agent asks as it does by itself (`--no-dangerously-skip-permissions`); a fork asks, too."""
    prompt: str = ""
    """First prompt."""
    trigger_source: str = "lisa"
    idempotent_key: str = ""
    debounce_key: str = ""
    forked_from: str = ""
    """Id of the session whose conversation this one continues."""
    resumed_from: str = ""
    """Run id of the earlier start that this one continues."""
    launch: RecordedLaunch = msgspec.field(default_factory=RecordedLaunch)
    conversation: str = ""
    """The agent's id of the newest conversation; set when the session is killed."""
    transcript: str = ""
    """The agent's transcript of it."""
    created_at: str = ""
    """RFC 3339, as all times here."""
    created_unix: float = 0.0
    """The same time, with its fraction."""
    started_at: str = ""
    ended_at: str = ""
    end_reason: str = ""
    """completed, failed, job_completed, user_requested, org_api_requested, max_duration_exceeded,
    startup_timeout or heartbeat_stale; set before the session is ended."""
    end_detail: str = ""
    """Finer cause of the end."""
    exit_code: int | None = None
    usage: RecordedUsage | None = None
    """Sums at the end of the session; None while it lives."""
    warnings: tuple[str, ...] = ()


# -- ids ----------------------------------------------------------------------------------------------------------


def project_id(project: Project) -> str:
    """Return the UUID of the project."""
    return digests.make_uuid(_NAMESPACE, project.hash)


def session_id(project: Project, meta: SessionMeta) -> str:
    """Return the UUID of a session, which it keeps when it is resumed."""
    return make_id(project, meta.all_run_ids[0])


def make_id(project: Project, run_id: str) -> str:
    """Return the UUID of a session by the run id of its first start."""
    return name_id(project_id(project), run_id)


def name_id(namespace: str, name: str) -> str:
    """Return the UUID of a name in the namespace of another UUID."""
    return digests.make_uuid(bytes.fromhex(namespace.replace("-", "")), name)


def find_by_id(identity: str, settings: Settings, projects: Iterable[str] | None = None) -> SessionRef | None:
    """Return the session of an id, in any project; None if there is none."""
    wanted = identity.lower()
    for digest in paths.list_project_hashes(settings) if projects is None else projects:
        folder = os.path.join(settings.state_dir, "projects", digest)
        for name in paths.list_session_names(folder):
            meta = load_readable(os.path.join(folder, "sessions", name, "meta.json"), SessionMeta)
            if meta is None or not meta.project_root:
                continue
            project = paths.resolve_project(meta.project_root, settings)
            if project.hash == digest and session_id(project, meta) == wanted:
                return SessionRef(project, name)
    return None


def find_project(identity: str, settings: Settings) -> str:
    """Return the folder of the project of an id, from the records of its sessions; empty if there are none."""
    for digest in paths.list_project_hashes(settings):
        if digests.make_uuid(_NAMESPACE, digest) != identity.lower():
            continue
        folder = os.path.join(settings.state_dir, "projects", digest)
        for name in paths.list_session_names(folder):
            meta = load_readable(os.path.join(folder, "sessions", name, "meta.json"), SessionMeta)
            if meta is not None and meta.project_root:
                return meta.project_root
    return ""


# -- records ------------------------------------------------------------------------------------------------------


def read_record(ref: SessionRef) -> SessionRecord | None:
    """Return the record, made from the metadata if spawn wrote none; None without both. Raise UnreadableRecord."""
    found = load(ref.file(FILE), SessionRecord)
    if found is not None:
        return found
    meta = session_records.read_meta(ref)
    return None if meta is None else make_record(ref, meta)


def read_readable(ref: SessionRef) -> SessionRecord | None:
    """Return the record; None if it is missing or unreadable."""
    try:
        return read_record(ref)
    except UnreadableRecord:
        return None


def make_record(ref: SessionRef, meta: SessionMeta) -> SessionRecord:
    """Return the record of a session with this metadata and no settings of its own."""
    return SessionRecord(
        id=session_id(ref.project, meta),
        session=meta.session,
        project_root=meta.project_root,
        run_id=meta.run_id,
        agent=meta.agent,
        prompt=meta.prompt,
        created_at=meta.created_at,
        created_unix=meta.first_unix or meta.created_unix,
    )


def write_record(ref: SessionRef, record: SessionRecord) -> None:
    """Write the record. Raise LisaError(store_unwritable)."""
    save(ref.file(FILE), record)


def read_start_time(ref: SessionRef) -> str:
    """Return the time at which the supervisor started the agent; empty if it has not."""
    at = files.modified_at(ref.start)
    return format_rfc3339(at) if at else ""


RECORD = StoreRecord(
    check=lambda project, settings: check_session_files(project, {FILE: SessionRecord}), snapshot=None, prune=None
)
