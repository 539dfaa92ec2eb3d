"""Remove stale tmux sockets and tmux servers of lisa without a live agent."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import cleanup
from lisa_py.core.lifecycle.cleanup import SocketReport


class Args(Struct, kw_only=True):
    dry_run: Annotated[bool, Flag(help="report only; no change")] = False
    include_tmux_default: Annotated[bool, Flag(help="also dead sockets of your own tmux")] = False


class CleanupResult(Answer):
    dry_run: bool
    scanned: int
    removed: int
    """Number of removed sockets."""
    would_remove: int
    killed_servers: int
    would_kill_servers: int
    kept_active: int
    sockets: tuple[SocketReport, ...]
    """Each socket with the action and its reason."""
    errors: tuple[str, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> CleanupResult:
    results = cleanup.clean_sockets(ctx, dry_run=args.dry_run, include_default=args.include_tmux_default)
    errors = tuple(f"{each.socket}: {each.why}" for each in results if each.what == "failed")
    for problem in errors:
        ctx.warn(f"cleanup warning: {problem}")
    killed = sum(each.what == "killed" for each in results)
    removed = killed + sum(each.what == "removed" for each in results)
    return CleanupResult(
        dry_run=args.dry_run,
        scanned=len(results),
        removed=0 if args.dry_run else removed,
        would_remove=removed if args.dry_run else 0,
        killed_servers=0 if args.dry_run else killed,
        would_kill_servers=killed if args.dry_run else 0,
        kept_active=sum(each.what == "kept" for each in results),
        sockets=tuple(results),
        errors=errors or UNSET,
        error_code="cleanup_socket_errors" if errors else UNSET,
    )


def text(answer: CleanupResult, args: Args) -> str:
    if answer.dry_run:
        return (
            f"cleanup (dry-run): scanned {answer.scanned} sockets, would remove {answer.would_remove} stale sockets,"
            f" would kill {answer.would_kill_servers} detached servers, kept {answer.kept_active} active"
        )
    return (
        f"cleanup: scanned {answer.scanned} sockets, removed {answer.removed} stale sockets,"
        f" killed {answer.killed_servers} detached servers, kept {answer.kept_active} active"
    )


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=CleanupResult,
    run=run,
    text=text,
    exit_code=lambda answer: 1 if answer.errors else 0,
    exits={0: "done", 1: "some sockets could not be checked or removed; errors lists them"},
    errors=("cleanup_socket_errors",),
    example="lisa cleanup --dry-run",
    notes="A server with a running program or an attached client is never touched, nor is a file of another user or"
    " one that is not a socket. The last screens of ended sessions are kept in their folders.",
)
