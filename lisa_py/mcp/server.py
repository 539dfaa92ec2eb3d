"""The MCP server: tools and resources of one scope, over the official SDK."""

from __future__ import annotations

import functools
import time
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from msgspec import Struct

from lisa_py import __version__
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.contract.mcp_tools import ListToolArgs, ReadToolArgs, StatusToolArgs
from lisa_py.host.cancellation import Cancellation
from lisa_py.mcp.call import ToolFailure, ToolRun, ToolScope
from lisa_py.mcp.tools import TOOLS, Tool

INSTRUCTIONS = """\
These tools run other coding agents (claude, codex) in tmux sessions on this machine. Start one with session_spawn, wait
with session_wait, read its answer with session_read, reply or answer its questions with session_send, end it with
session_kill. A session works on while it is not waited for."""
REPORT_SECONDS = 10
"""Seconds between two progress notifications of a call that waits."""
MAX_CALLS = 200
"""Calls that run at the same time: most of them wait."""
SESSIONS_URI = "lisa://sessions"
SESSION_URI = "lisa://session/"
JSON_TYPE = "application/json"
_BY_NAME = {tool.name: tool for tool in TOOLS}
RequestContext = ServerRequestContext[Any, Any]


def build_server(scope: ToolScope, stopping: Cancellation) -> Server[Any]:
    """Return the server of a scope; `stopping` ends every call that waits."""
    face = _ServerFace(scope, stopping)
    return Server(
        "lisa",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=face.list_tools,
        on_call_tool=face.call_tool,
        on_list_resources=face.list_resources,
        on_list_resource_templates=face.list_templates,
        on_read_resource=face.read_resource,
    )


def build_schema(kind: type[Struct]) -> dict[str, Any]:
    """Return the JSON schema of a struct, with its own properties at the top, as clients expect them."""
    (_,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    own = dict(parts.pop(kind.__name__))
    own.pop("title", None)
    return {**own, "$defs": parts} if parts else own


class _ServerFace:
    """The handlers of the SDK."""

    def __init__(self, scope: ToolScope, stopping: Cancellation) -> None:
        self._scope = scope
        self._stopping = stopping
        self._threads = anyio.CapacityLimiter(MAX_CALLS)

    async def list_tools(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_describe_tool(tool) for tool in TOOLS])

    async def call_tool(self, ctx: RequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            known = ", ".join(_BY_NAME)
            raise MCPError(types.INVALID_PARAMS, f"unknown tool: {params.name} (the tools are {known})")
        try:
            args = msgspec.convert(params.arguments or {}, tool.args)
        except msgspec.ValidationError as problem:
            error = LisaError("invalid_arguments", f"invalid arguments of {tool.name}: {problem}")
            return _build_result(error.to_object(), is_error=True)
        try:
            return _build_result(await self._run(ctx, tool, args))
        except ToolFailure as failure:
            return _build_result(failure.answer, is_error=True)
        except LisaError as problem:
            return _build_result(problem.to_object(), is_error=True)

    async def _run(self, ctx: RequestContext, tool: Tool, args: Struct) -> Any:
        """Run a tool in a thread; a cancelled call ends its wait, and a long one reports progress."""
        started = time.monotonic()
        with self._stopping.open_part() as cancellation:

            async def report(message: str) -> None:
                await ctx.session.report_progress(round(time.monotonic() - started, 1), message=message)

            def report_from_thread(message: str) -> None:
                if not cancellation.is_set:
                    anyio.from_thread.run(report, message)

            async def report_regularly() -> None:
                while True:
                    await anyio.sleep(REPORT_SECONDS)
                    await report(f"{tool.name} continues")

            call = ToolRun(self._scope, cancellation, report_from_thread)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(report_regularly)
                    answer = await anyio.to_thread.run_sync(
                        functools.partial(tool.run, call, args), abandon_on_cancel=True, limiter=self._threads
                    )
                    group.cancel_scope.cancel()
            except BaseExceptionGroup as group_error:
                raise _find_cause(group_error) from None
            finally:
                cancellation.cancel()
            return msgspec.to_builtins(answer)

    async def list_resources(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        found = await self._read(ctx, "session_list", ListToolArgs())
        rows = [
            types.Resource(
                uri=SESSION_URI + each["session"],
                name=each["session"],
                description=each["sessionState"],
                mime_type=JSON_TYPE,
            )
            for each in found["sessions"]
        ]
        every = types.Resource(
            uri=SESSIONS_URI, name="sessions", description="the sessions and their states", mime_type=JSON_TYPE
        )
        return types.ListResourcesResult(resources=[every, *rows])

    async def list_templates(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        template = types.ResourceTemplate(
            uri_template=SESSION_URI + "{name}",
            name="session",
            description="state and recent conversation of a session",
            mime_type=JSON_TYPE,
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(
        self, ctx: RequestContext, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        if uri == SESSIONS_URI:
            found = await self._read(ctx, "session_list", ListToolArgs())
        elif uri.startswith(SESSION_URI):
            name = uri.removeprefix(SESSION_URI)
            state = await self._read(ctx, "session_status", StatusToolArgs(session=name))
            found = {**state, "output": await self._read(ctx, "session_read", ReadToolArgs(session=name))}
        else:
            raise MCPError(
                types.INVALID_PARAMS, f"unknown resource: {uri} ({SESSIONS_URI} and {SESSION_URI}NAME exist)"
            )
        text = jsontext.encode(found).decode()
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=JSON_TYPE, text=text)])

    async def _read(self, ctx: RequestContext, name: str, args: Struct) -> Any:
        """Return the answer of a tool that a resource shows. Raise MCPError."""
        try:
            return await self._run(ctx, _BY_NAME[name], args)
        except ToolFailure as failure:
            raise MCPError(types.INVALID_PARAMS, failure.answer.get("error", ""), failure.answer) from None
        except LisaError as problem:
            raise MCPError(types.INVALID_PARAMS, problem.message, problem.to_object()) from None


def _find_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure of the tool in the group of its tasks."""
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            return _find_cause(each)
    return group.exceptions[0]


def _describe_tool(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=build_schema(tool.args),
        output_schema=build_schema(tool.answer),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads, destructive_hint=tool.name == "session_kill", open_world_hint=not tool.reads
        ),
    )


def _build_result(answer: dict[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    text = types.TextContent(type="text", text=jsontext.encode(answer).decode())
    return types.CallToolResult(content=[text], structured_content=None if is_error else answer, is_error=is_error)
