"""Remove dead tmux sockets; leave live and undecidable ones alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.session_panes import PaneIndex
from lisa_py.core.status import last_screen
from lisa_py.core.status.status_reader import read_with_evidence
from lisa_py.host import files, sockets
from lisa_py.host.tmux import Tmux
from lisa_py.store import session_index

_OWN_SOCKET = re.compile(r"lisa-tmux-[a-z0-9]+-[0-9a-f]{8}\.sock\Z")
_OWN_FOLDER = re.compile(r"lisa-\d+-[0-9a-f]{6}\Z")

SocketAction = Literal["removed", "killed", "kept", "failed"]


class SocketReport(Struct, frozen=True, kw_only=True):
    """One socket with its actual or planned action."""

    socket: str
    what: SocketAction
    why: str


def clean_sockets(ctx: Context, *, dry_run: bool = False, include_default: bool = False) -> list[SocketReport]:
    """Remove sockets without a server; end servers of lisa without a live agent.

    With `include_default` also sockets of the user's own tmux, of which only dead ones are removed.
    """
    return [_clean_socket(ctx, path, dry_run) for path in find_sockets(ctx, include_default=include_default)]


def find_sockets(ctx: Context, *, include_default: bool) -> list[str]:
    """Return sockets of this user that belong to lisa by name or by the records of a session."""
    found = {path for folder in _socket_folders(ctx) for path in _list_own_sockets(folder)}
    found |= {
        known.meta.socket_path
        for known in session_index.index_all_projects(ctx.settings).sessions
        if known.meta.socket_path
    }
    if include_default:
        found |= set(_list_default_sockets(ctx))
    return sorted(path for path in {_resolve_folder(path) for path in found} if _is_own_socket(path))


def _resolve_folder(path: str) -> str:
    """Return one spelling per socket; a symlink stays as it is and is left alone."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _socket_folders(ctx: Context) -> Iterator[str]:
    settings = ctx.settings
    for folder in (settings.tmux_socket_dir, settings.shared_dir, settings.temp_dir):
        yield folder
        yield from (os.path.join(folder, name) for name in files.list_names(folder) if _OWN_FOLDER.match(name))


def _list_own_sockets(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in files.list_names(folder) if _OWN_SOCKET.match(name)]


def _list_default_sockets(ctx: Context) -> Iterator[str]:
    """Yield the sockets in the folders where tmux and its users put them."""
    for base in {ctx.settings.get("TMUX_TMPDIR"), ctx.settings.shared_dir} - {""}:
        folder = os.path.join(base, f"tmux-{os.getuid()}")
        yield from (os.path.join(folder, name) for name in files.list_names(folder))
        yield from (os.path.join(base, name) for name in files.list_names(base) if re.match(r"tmux-.*\.sock\Z", name))


def _is_own_socket(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()


def _clean_socket(ctx: Context, path: str, dry_run: bool) -> SocketReport:
    server = Tmux(path, ctx.settings)
    try:
        alive = server.is_listening()
        if alive is None:
            return SocketReport(socket=path, what="failed", why="it neither answers nor refuses")
        if not alive:
            return _remove_socket(server, dry_run)
        why = _keep_reason(server)
        if why:
            return SocketReport(socket=path, what="kept", why=why)
        return _kill_server(ctx, server, dry_run)
    except LisaError as problem:
        return SocketReport(socket=path, what="failed", why=problem.message)


def _keep_reason(server: Tmux) -> str:
    """Return the reason to keep a server; empty if none. Raise TmuxUnavailable."""
    if not _OWN_SOCKET.match(os.path.basename(server.socket)):
        return "a server that lisa did not start is listening"
    clients = server.count_clients()
    if clients:
        return f"attached clients: {clients}"
    living = sorted({pane.session for pane in server.list_panes() if not pane.dead})
    return f"live sessions: {', '.join(living)}" if living else ""


def _remove_socket(server: Tmux, dry_run: bool) -> SocketReport:
    if not dry_run and not sockets.remove_socket(server.socket, timeout=5):
        return SocketReport(socket=server.socket, what="kept", why="a server has just started on it")
    return SocketReport(socket=server.socket, what="removed", why="it has no server")


def _kill_server(ctx: Context, server: Tmux, dry_run: bool) -> SocketReport:
    """End a server without live agents; the last screens of its ended sessions are kept in their folders."""
    panes = server.list_panes()
    ended, index = sorted({pane.session for pane in panes}), PaneIndex(panes)
    why = f"all its sessions have ended: {', '.join(ended)}" if ended else "it has no session"
    if not dry_run:
        for known in session_index.index_all_projects(ctx.settings).sessions if ended else ():
            if known.meta.socket_path == server.socket and index.find(known.ref.session, known.meta) is not None:
                last_screen.save_last_screen(ctx, known.ref, *read_with_evidence(ctx, known.ref))
        if not server.stop_if_unused(with_ended_sessions=True):
            return SocketReport(socket=server.socket, what="kept", why="a session has just started on it")
    return SocketReport(socket=server.socket, what="killed", why=why)
