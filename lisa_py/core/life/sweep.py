"""Sweeping up tmux sockets: what is dead goes, what is alive stays, and what cannot be told apart is left alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.watch import output
from lisa_py.core.watch.look import look
from lisa_py.host import files, sockets
from lisa_py.host.tmux import Tmux
from lisa_py.store import fleet

_OURS = re.compile(r"lisa-tmux-[a-z0-9]+-[0-9a-f]{8}\.sock\Z")
_OWN_FOLDER = re.compile(r"lisa-\d+-[0-9a-f]{6}\Z")

What = Literal["removed", "killed", "kept", "failed"]


class Swept(Struct, frozen=True, kw_only=True):
    """One socket and what became of it, or would."""

    socket: str
    what: What
    why: str


def sweep(ctx: Context, *, dry_run: bool = False, default_too: bool = False) -> list[Swept]:
    """Remove sockets nobody listens on; end servers of lisa's in which no agent lives any more.

    With `default_too` also sockets of the user's own tmux, of which only dead ones are removed.
    """
    return [_sweep_one(ctx, path, dry_run) for path in candidates(ctx, default_too=default_too)]


def candidates(ctx: Context, *, default_too: bool) -> list[str]:
    """Existing sockets of this user that are lisa's by their name, or that a session's records name."""
    found = {path for folder in _folders(ctx) for path in _ours_in(folder)}
    found |= {known.meta.socket_path for known in fleet.of_all(ctx.settings).sessions if known.meta.socket_path}
    if default_too:
        found |= set(_defaults(ctx))
    return sorted(path for path in {_settled(path) for path in found} if _is_own_socket(path))


def _settled(path: str) -> str:
    """One spelling per socket; a symlink in a socket's place stays one, and is left alone."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _folders(ctx: Context) -> Iterator[str]:
    settings = ctx.settings
    for folder in (settings.tmux_socket_dir, settings.shared_dir, settings.temp_dir):
        yield folder
        yield from (os.path.join(folder, name) for name in files.names(folder) if _OWN_FOLDER.match(name))


def _ours_in(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in files.names(folder) if _OURS.match(name)]


def _defaults(ctx: Context) -> Iterator[str]:
    """Where tmux itself and its users put sockets."""
    for base in {ctx.settings.get("TMUX_TMPDIR"), ctx.settings.shared_dir} - {""}:
        folder = os.path.join(base, f"tmux-{os.getuid()}")
        yield from (os.path.join(folder, name) for name in files.names(folder))
        yield from (os.path.join(base, name) for name in files.names(base) if re.match(r"tmux-.*\.sock\Z", name))


def _is_own_socket(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()


def _sweep_one(ctx: Context, path: str, dry_run: bool) -> Swept:
    server = Tmux(path, ctx.settings)
    try:
        alive = server.answers()
        if alive is None:
            return Swept(socket=path, what="failed", why="it neither answers nor refuses")
        if not alive:
            return _remove(server, dry_run)
        why = _why_kept(server)
        if why:
            return Swept(socket=path, what="kept", why=why)
        return _kill(ctx, server, dry_run)
    except LisaError as problem:
        return Swept(socket=path, what="failed", why=problem.message)


def _why_kept(server: Tmux) -> str:
    """Raises TmuxUnavailable."""
    if not _OURS.match(os.path.basename(server.socket)):
        return "a server that lisa did not start is listening"
    clients = server.clients()
    if clients:
        return f"attached clients: {clients}"
    living = sorted({pane.session for pane in server.panes() if not pane.dead})
    return f"living sessions: {', '.join(living)}" if living else ""


def _remove(server: Tmux, dry_run: bool) -> Swept:
    if not dry_run and not sockets.discard(server.socket, timeout=5):
        return Swept(socket=server.socket, what="kept", why="a server has just started on it")
    return Swept(socket=server.socket, what="removed", why="nobody listens on it")


def _kill(ctx: Context, server: Tmux, dry_run: bool) -> Swept:
    """End a server in which nobody lives; the last screens of its ended sessions are kept in their folders."""
    ended = {pane.session for pane in server.panes()}
    why = f"all its sessions have ended: {', '.join(sorted(ended))}" if ended else "it has no session"
    if not dry_run:
        for known in fleet.of_all(ctx.settings).sessions if ended else ():
            if known.meta.socket_path == server.socket and known.place.session in ended:
                output.keep(ctx, known.place, *look(ctx, known.place))
        if not server.retire(with_ended_sessions=True):
            return Swept(socket=server.socket, what="kept", why="a session has just started on it")
    return Swept(socket=server.socket, what="killed", why=why)
