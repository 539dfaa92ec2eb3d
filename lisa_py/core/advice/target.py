"""The session that a suggestion is for, and how it would be started again."""

from __future__ import annotations

import itertools

from msgspec import Struct

from lisa_py import agents
from lisa_py.contract import command_line
from lisa_py.contract.command_line import CommandLine, FlagValue
from lisa_py.contract.common_flags import MODES
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SESSION_NAME, SessionRef


class RespawnOptions(Struct, frozen=True, kw_only=True):
    """Options of a start besides its prompt."""

    agent: str
    mode: str
    model: str = ""
    command: str = ""
    """The custom command, which ran instead of an agent."""


class AdviceTarget(Struct, frozen=True, kw_only=True):
    """The session of a suggestion."""

    session: str
    project_root: str
    respawn_options: RespawnOptions
    binary: str = command_line.BINARY
    resumable: bool = False
    """True if its agent was ended from outside and can continue its conversation."""

    def build_line(self, name: str, /, **flags: FlagValue) -> CommandLine:
        """Return a command line for the session."""
        return command_line.build(
            name, binary=self.binary, session=self.session, project_root=self.project_root, **flags
        )

    def build_spawn_line(self, prompt: str) -> CommandLine:
        """Return the command line that starts it again; a custom command has no prompt."""
        options = self.respawn_options
        return command_line.build(
            "session spawn",
            binary=self.binary,
            agent=options.agent,
            mode=options.mode,
            project_root=self.project_root,
            command=options.command,
            prompt="" if options.command else prompt,
            model=options.model,
            json=True,
        )


def build_target(ctx: Context, ref: SessionRef) -> AdviceTarget:
    """Return the session as the advice functions need it."""
    try:
        meta = session_records.read_meta(ref) if SESSION_NAME.match(ref.session) else None  # the file is not trusted
    except UnreadableRecord:
        meta = None
    return AdviceTarget(
        session=ref.session,
        project_root=ref.project.root,
        respawn_options=derive_options(meta, ref.session),
        binary=detect_binary(ctx.settings, ctx.cwd),
        resumable=meta is not None and _may_resume(ref, meta),
    )


def _may_resume(ref: SessionRef, meta: SessionMeta) -> bool:
    from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - a list imports this module for less

    return lost_sessions.may_resume(ref, meta)


def detect_binary(settings: Settings, cwd: str) -> str:
    """Return the name of the program: `./lisa` if that file exists, else `lisa`."""
    return "./lisa" if files.exists(f"{cwd}/lisa") and not files.is_dir(f"{cwd}/lisa") else command_line.BINARY


def derive_options(meta: SessionMeta | None, name: str = "") -> RespawnOptions:
    """Derive the options from the metadata, else from a generated name, else from the defaults of plans."""
    if meta is None or not meta.agent:
        return _parse_session_name(name)
    if meta.custom_command:
        return RespawnOptions(agent=meta.agent, mode=meta.mode, command=meta.start_command)
    return RespawnOptions(agent=meta.agent, mode=meta.mode or "interactive", model=_parse_model(meta))


def _parse_session_name(name: str) -> RespawnOptions:
    """Parse a generated name for agent and mode: `lisa-shop-260801-093000-1-claude-exec-review`."""
    words = name.split("-")
    for word, mode in itertools.pairwise(words):
        if word in agents.names() and mode in MODES:
            return RespawnOptions(agent=word, mode=mode)
    default_agent = agents.get(agents.DEFAULT_NESTED)
    return RespawnOptions(agent=default_agent.name, mode="interactive", model=default_agent.default_model())


def _parse_model(meta: SessionMeta) -> str:
    """Return the model in the command line, for agents with models."""
    try:
        if not agents.get(meta.agent).takes_model:
            return ""
        import shlex  # noqa: PLC0415 - only a session without a recorded agent needs it

        words = shlex.split(meta.start_command)
    except (LisaError, ValueError):
        return ""
    return next((value for word, value in itertools.pairwise(words) if word == "--model"), "")
