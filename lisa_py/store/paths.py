"""Paths of projects and sessions, and the identity of a project."""

from __future__ import annotations

import os
import re

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.host.sockets import SOCKET_PATH_MAX

SESSION_NAME = compile_late(r"lisa-[A-Za-z0-9_-]{1,95}\Z")
SESSION_ID = compile_late(r"(?i:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\Z")
"""The id of a session's record, accepted wherever its name is."""


LIMITS_FILE = "limits.json"
ARCHIVES = "archive"
"""Folder of a project with the archives of its killed sessions."""


class Project(Struct, frozen=True):
    """One project root on this machine, with derived values."""

    root: str
    """Canonical: absolute, symlinks resolved."""
    hash: str
    """First 8 hex digits of the MD5 of the root."""
    slug: str
    folder: str
    """`~/.lisa/projects/<hash>`."""
    socket: str


class SessionRef(Struct, frozen=True):
    """The folder of one session and its files; a session has no files elsewhere."""

    project: Project
    session: str
    archive: str = ""
    """Id of an archived session; its folder is that of the archive, which is only read."""

    @property
    def folder(self) -> str:
        if self.archive:
            return os.path.join(self.project.folder, ARCHIVES, self.archive)
        return os.path.join(self.project.folder, "sessions", self.session)

    def file(self, name: str) -> str:
        return os.path.join(self.folder, name)

    @property
    def limits(self) -> str:
        """Written by spawn for a session with limits."""
        return self.file(LIMITS_FILE)

    @property
    def meta(self) -> str:
        return self.file("meta.json")

    @property
    def state(self) -> str:
        return self.file("state.json")

    @property
    def events(self) -> str:
        return self.file("events.jsonl")

    @property
    def start(self) -> str:
        """Written by the supervisor just before the agent starts."""
        return self.file("start")

    @property
    def done(self) -> str:
        """Written by the supervisor after the agent has ended: `<runId>:<code>`."""
        return self.file("done.txt")

    @property
    def heartbeat(self) -> str:
        return self.file("heartbeat")

    @property
    def hooks(self) -> str:
        """One JSON line per call of the agent's hooks."""
        return self.file("hooks.jsonl")

    @property
    def earlier_hooks(self) -> str:
        """Conversations of the earlier runs of a resumed session, in lines as those of `hooks`."""
        return self.file("earlier-hooks.jsonl")

    @property
    def environment(self) -> str:
        """The caller's environment for the agent; read and removed by the supervisor."""
        return self.file("environment")

    @property
    def command(self) -> str:
        return self.file("command.sh")

    @property
    def output(self) -> str:
        """Last screen of an ended session, written by status --full and monitor."""
        return self.file("output.txt")


def resolve_project(root: str, settings: Settings) -> Project:
    """Return the project of a folder, which need not exist."""
    canonical = files.canonical_path(root)
    digest = make_digest(canonical)[:8]
    slug = make_slug(os.path.basename(canonical))
    return Project(
        root=canonical,
        hash=digest,
        slug=slug,
        folder=os.path.join(settings.state_dir, "projects", digest),
        socket=_socket_path(slug, digest, settings),
    )


def make_digest(text: str) -> str:
    """Return 32 hexadecimal digits that identify the text; no protection against forgery."""
    return digests.md5(text.encode("utf-8", "surrogateescape")).hexdigest()


def make_slug(text: str, max_length: int = 10) -> str:
    """Return the lower-case letters and digits, cut; `project` if none are left."""
    return re.sub(r"[^a-z0-9]", "", text.lower())[:max_length] or "project"


def _socket_path(slug: str, digest: str, settings: Settings) -> str:
    name = f"lisa-tmux-{slug}-{digest}.sock"
    preferred_path = os.path.join(settings.tmux_socket_dir, name)
    if len(os.fsencode(preferred_path)) <= SOCKET_PATH_MAX:
        return preferred_path
    # too long for a Unix socket: a short folder of this user, named by a hash of the configured one
    folder_hash = make_digest(settings.tmux_socket_dir)[:6]
    return os.path.join(settings.shared_dir, f"lisa-{os.getuid()}-{folder_hash}", name)


def check_name(session: str) -> str:
    """Return the name if it is valid. Raise LisaError(invalid_session_name)."""
    if not SESSION_NAME.match(session):
        raise LisaError(
            "invalid_session_name",
            f"invalid --session: {session} (expected lisa- followed by letters, digits, _ or -, at most 100 in all)",
        )
    return session


def list_project_hashes(settings: Settings) -> list[str]:
    """Return the hashes of all projects with a folder."""
    return [name for name in files.list_names(os.path.join(settings.state_dir, "projects")) if len(name) == 8]


def list_session_names(project_folder: str) -> list[str]:
    """Return the names of all sessions with a folder, ended and killed ones included."""
    return [name for name in files.list_names(os.path.join(project_folder, "sessions")) if SESSION_NAME.match(name)]
