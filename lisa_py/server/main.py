"""Run `lisa serve`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys

from msgspec import UNSET

from lisa_py import __version__, agents
from lisa_py.commands.serve import DEFAULT_PORT, Args, ServerReport
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.login_flows import LoginFlows
from lisa_py.core.live.transfers import Transfers
from lisa_py.host import env, files
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.clock import format_rfc3339
from lisa_py.server.report import build_client_environment, print_report
from lisa_py.store import live_records, project_places, server_files
from lisa_py.store.json_records import save
from lisa_py.store.server_files import ServerAddress

EXTRA_MODULES = ("starlette", "uvicorn", "websockets", "jwt")


def main(args: Args) -> int:
    """Serve until a signal, or answer --check and --client-env; return the exit code. Raise LisaError."""
    settings = env.read_settings()
    ctx = Context(settings)
    if args.check or args.client_env:
        return _report(ctx, args)
    _check(args)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(server_files.hold_lock(settings))
        except LisaError as problem:
            raise _explain(ctx, problem) from None
        return _serve(ctx, args)


def _explain(ctx: Context, problem: LisaError) -> LisaError:
    address = server_files.read_address(ctx.settings) if problem.code == "server_running" else None
    if address is None:
        return problem
    place = address.socket or address.url
    text = f"a server already runs at {place} (process {address.pid}); it serves all projects of this user"
    return LisaError("server_running", text, url=address.url, pid=address.pid)


def _report(ctx: Context, args: Args) -> int:
    """Print the state of the running server. Raise LisaError(server_not_running)."""
    address = server_files.read_address(ctx.settings)
    if address is None:
        raise LisaError("server_not_running", "no server is running; start one with: lisa serve")
    project = ctx.existing_project(args.project_root)
    if args.client_env:
        project_places.note_place(project)
        keys = server_files.ensure_keys(ctx.settings, ctx.clock.now())
        print_report(build_client_environment(address, keys, args.scope, live_records.project_id(project)))
        return 0
    print_report(
        ServerReport(
            url=address.url,
            pid=address.pid,
            socket=address.socket or UNSET,
            project_id=live_records.project_id(project),
        )
    )
    return 0


def _check(args: Args) -> None:
    """Raise LisaError for flags and a machine that cannot serve."""
    missing = [name for name in EXTRA_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        text = f"lisa serve needs {', '.join(missing)}; install them with: pip install 'lisa-py[server]'"
        raise LisaError("server_extra_missing", text)
    if args.agent and args.agent not in agents.names():
        raise UsageError("invalid_agent", f"unknown agent: {args.agent} (expected {', '.join(agents.names())})")
    for origin in args.allow_origin:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            raise UsageError("invalid_allow_origin", f"invalid --allow-origin: {origin} (expected https://HOST[:PORT])")


def _serve(ctx: Context, args: Args) -> int:
    from lisa_py.server import listener  # noqa: PLC0415 - after the check of the extra
    from lisa_py.server.app import ServerApp  # noqa: PLC0415
    from lisa_py.server.options import ServerOptions, ServerState  # noqa: PLC0415

    keys = server_files.ensure_keys(ctx.settings, ctx.clock.now(), renew=args.new_key)
    project_places.note_place(ctx.existing_project(args.project_root))
    with contextlib.ExitStack() as stack:
        listening = []
        port = 0
        if args.port is not None or not args.socket:
            listening.append(stack.enter_context(listener.open_port(DEFAULT_PORT if args.port is None else args.port)))
            port = listening[0].getsockname()[1]
        if args.socket:
            listening.append(stack.enter_context(listener.open_socket(args.socket)))
        url = f"http://127.0.0.1:{port}" if port else "http://localhost"
        cancellation = Cancellation()
        logins = LoginFlows()
        stack.callback(logins.close)
        server = ServerState(
            settings=ctx.settings,
            keys=keys,
            cwd=ctx.existing_project(args.project_root).root,
            url=url,
            port=port,
            options=ServerOptions(
                agent=args.agent,
                max_sessions=args.max_sessions,
                max_creations=args.max_creations,
                interactive_api_sessions=args.interactive_api_sessions,
                allowed_origins=tuple(origin.lower().rstrip("/") for origin in args.allow_origin),
            ),
            cancellation=cancellation,
            logins=logins,
            sending=Cancellation(),
            transfers=Transfers(ctx.clock.now),
            log=lambda text: print(f"lisa serve: {text}", file=sys.stderr, flush=True),
        )
        address = ServerAddress(
            url=url, pid=os.getpid(), socket=files.absolute_path(args.socket) if args.socket else "",
            version=__version__, started_at=format_rfc3339(ctx.clock.now()),
        )  # fmt: skip

        def announce() -> None:
            server_files.write_address(ctx.settings, address)
            if args.ready_file:
                save(args.ready_file, address)
            server.log(f"listening on {address.socket or url} (Ctrl-C ends it; sessions keep running)")

        stack.callback(server_files.remove_address, ctx.settings)
        app = ServerApp(server)
        code = listener.serve(app, listening, announce, cancellation.cancel)
        app.finish()
        server.sending.cancel()
        return code
