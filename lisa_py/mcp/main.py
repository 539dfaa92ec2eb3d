"""Run `lisa mcp`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import tool_servers
from lisa_py.host import env
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.env import Settings

if TYPE_CHECKING:
    from lisa_py.mcp.call import ToolScope


def main(args: Any) -> int:
    """Serve on standard input and output until the client leaves; return the exit code. Raise LisaError."""
    if sys.stdin.isatty():
        text = "an agent starts this server; lisa mcp install --agent claude enters it in the configuration of claude"
        raise LisaError("client_required", text)
    tool_servers.check_extra()
    scope = build_scope(env.read_settings(), args.project_root, args.within)
    import anyio  # noqa: PLC0415 - of the extra, as the rest of the server

    stopping = Cancellation()
    try:
        anyio.run(_serve, scope, stopping)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        stopping.cancel()
    return 0


def build_scope(settings: Settings, project_root: str, within: str) -> ToolScope:
    """Return the scope; with `within`, sessions get that one as their parent, as if it called lisa itself."""
    from lisa_py.mcp.call import ToolScope  # noqa: PLC0415 - half of what the check needs

    ctx = Context(settings)
    project = ctx.existing_project(project_root)
    if not within:
        return ToolScope(settings=settings, project_root=project.root)
    meta = ctx.read_meta(ctx.ref(within, project.root))
    run_id = meta.run_id if meta is not None else ""
    environ = {**settings.environ, "LISA_SESSION_NAME": within, "LISA_RUN_ID": run_id}
    settings = msgspec.structs.replace(settings, environ=environ, parent_session=within)
    return ToolScope(settings=settings, project_root=project.root, within=within)


async def _serve(scope: ToolScope, stopping: Cancellation) -> None:
    import anyio  # noqa: PLC0415
    from mcp.server.stdio import stdio_server  # noqa: PLC0415

    from lisa_py.mcp import pipes  # noqa: PLC0415
    from lisa_py.mcp.server import build_server  # noqa: PLC0415

    server = build_server(scope, stopping)

    async def stop_at_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for number in signals:
                stopping.cancel()
                os._exit(128 + number)  # input that is no pipe is read by a thread, which cannot be ended

    async def stop_without_reader(output: int) -> None:
        await pipes.await_reader_end(output)
        stopping.cancel()
        group.cancel_scope.cancel()

    has_own_output = pipes.is_pipe(pipes.OUTPUT) and not os.path.sameopenfile(pipes.INPUT, pipes.OUTPUT)
    source: Any = pipes.InputLines(pipes.take_input()) if pipes.is_pipe(pipes.INPUT) else None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(stop_at_signal)
            if has_own_output:
                group.start_soon(stop_without_reader, os.dup(pipes.OUTPUT))
            async with stdio_server(stdin=source) as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())
            stopping.cancel()
            group.cancel_scope.cancel()
    except* (BrokenPipeError, anyio.BrokenResourceError):
        pass  # the client has left while it was written to
