"""The tools: each runs the commands that a person would, and answers with what a model needs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract import mcp_tools as words
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet import subtree
from lisa_py.mcp.call import ToolFailure, ToolRun
from lisa_py.terminal import frame_lines

AnswerType = TypeVar("AnswerType", bound=Answer)
READ_CHARACTERS = 20_000
"""Text of one session_read: about 5,000 tokens, below the limits of claude and codex for one result."""
READ_FRAMES = 200
"""Newest frames of a session_read without `since`."""


class Tool(Struct, frozen=True, kw_only=True):
    """One tool."""

    name: str
    args: type[Struct]
    answer: type[Answer]
    description: str
    """Has the words that a model searches for: codex finds tools by them."""
    run: Callable[[ToolRun, Any], Answer]
    reads: bool = False
    """True if it changes nothing."""


def _spawn(call: ToolRun, args: words.SpawnToolArgs) -> words.SpawnToolAnswer:
    scope = call.scope
    if scope.within:
        ctx = Context(scope.settings, cwd=scope.project_root)
        level = subtree.measure_depth(ctx, ctx.project(scope.project_root), scope.within)
        if level >= subtree.MAX_DEPTH:
            limit = subtree.MAX_DEPTH
            text = f"{scope.within} is at level {level} of sessions that start each other; the limit is {limit}"
            raise LisaError("nesting_too_deep", text, session=scope.within)
    given = {"session": args.name, "agent": args.agent, "model": args.model}
    chosen = {name: value for name, value in given.items() if value}
    found = call.run("session spawn", {"prompt": args.prompt, **chosen})
    return _pick(words.SpawnToolAnswer, found)


def _list(call: ToolRun, args: words.ListToolArgs) -> words.ListToolAnswer:
    members = call.scope.list_members()
    found = call.run("session list", {"with_next_action": True})
    rows = tuple(
        _build_session(item)
        for item in found.get("items", ())
        if (members is None or item["session"] in members) and args.state in ("", item["sessionState"])
    )
    return words.ListToolAnswer(count=len(rows), sessions=rows)


def _wait(call: ToolRun, args: words.WaitToolArgs) -> words.WaitToolAnswer:
    for name in args.sessions:
        call.check(name)
    members = call.scope.list_members()
    if members is not None and not members:
        raise LisaError("no_sessions", f"{call.scope.within} has started no session; session_spawn does")
    names = args.sessions or sorted(members or ())
    asked: dict[str, Any] = {"stream_json": True, "timeout_seconds": args.timeout, "all": args.all}
    found = call.run(
        "session wait",
        {**asked, "sessions": ",".join(names)} if names else asked,
        lambda event: call.report(f"{event.session.session}: {event.session.session_state}"),
    )
    return words.WaitToolAnswer(
        sessions=tuple(map(_build_session, found["sessions"])),
        pending=tuple(each["session"] for each in found["pending"]),
        timed_out=UNSET if found["ok"] else True,
        next=UNSET if found["ok"] else "session_wait: call it again to wait on",
    )


def _status(call: ToolRun, args: words.StatusToolArgs) -> words.StatusToolAnswer:
    call.check(args.session)
    found = call.run("session status", {"session": args.session})
    if found["sessionState"] == "not_found":
        raise ToolFailure(_describe_missing(args.session))
    dialogs = call.run("session dialogs", {"session": args.session})["dialogs"] if found.get("waitingFor") else ()
    choices = next((dialog["choices"] for dialog in dialogs if dialog.get("choices")), found.get("choices"))
    filled = {name: value for name, value in found.items() if value != ""}
    answer = _pick(words.StatusToolAnswer, {"agent": "", **filled, "choices": choices})
    return msgspec.structs.replace(answer, dialogs=tuple(map(_describe_dialog, dialogs)) or UNSET)


def _read(call: ToolRun, args: words.ReadToolArgs) -> words.ReadToolAnswer:
    call.check(args.session)
    part = {"since": args.since} if args.since else {"limit": READ_FRAMES}
    found = call.run("session history", {"session": args.session, **part})
    parts = [(frame["cursor"], _format_frame(frame)) for frame in found.get("frames", ())]
    kept = _fit(parts, newest=not args.since)
    ends_early = bool(args.since) and len(kept) < len(parts)
    starts_late = not args.since and (len(kept) < len(parts) or len(parts) >= READ_FRAMES or "omittedBytes" in found)
    return words.ReadToolAnswer(
        session=args.session,
        session_state=found["sessionState"],
        text="\n".join(text for _, text in kept if text),
        next=kept[-1][0] if ends_early else found["cursor"],
        more=ends_early or UNSET,
        omitted=starts_late or UNSET,
    )


def _send(call: ToolRun, args: words.SendToolArgs) -> words.SendToolAnswer:
    call.check(args.session)
    given = {name: value for name in ("text", "answer", "keys") if (value := getattr(args, name))}
    found = call.run("session send", {"session": args.session, **given, "enter": bool(args.text)})
    if not found["ok"]:
        raise ToolFailure({key: found[key] for key in ("ok", "errorCode", "error", "session") if key in found})
    return words.SendToolAnswer(
        session=args.session,
        delivered=found.get("delivered", "unverified"),
        evidence=found.get("deliveredBy", UNSET),
    )


def _kill(call: ToolRun, args: words.KillToolArgs) -> words.KillToolAnswer:
    call.check(args.session)
    found = call.run("session kill", {"session": args.session})
    if not found["found"]:
        raise ToolFailure(_describe_missing(args.session))
    if not found["ok"]:
        raise ToolFailure({**found, "ok": False})
    return _pick(words.KillToolAnswer, found)


def _pick(kind: type[AnswerType], found: Mapping[str, Any]) -> AnswerType:
    """Return the fields of an answer that a command has given."""
    return msgspec.convert({key: value for key, value in found.items() if value is not None}, kind)


def _build_session(item: Mapping[str, Any]) -> words.ToolSession:
    tool = "_".join(str(item.get("nextAction", "")).split()[:2])
    return _pick(words.ToolSession, {**item, "next": _NEXT_TOOLS.get(tool)})


def _describe_dialog(dialog: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: dialog[key] for key in ("id", "kind", "message", "toolName", "toolInput", "questions") if key in dialog
    }


def _describe_missing(session: str) -> dict[str, Any]:
    text = f"session not found: {session} (session_list shows the sessions)"
    return LisaError("session_not_found", text, session=session).to_object()


def _format_frame(frame: Mapping[str, Any]) -> str:
    return "\n".join(frame_lines.format_frame(msgspec.to_builtins(frame), colors=False, verbose=False))


def _fit(parts: list[tuple[str, str]], *, newest: bool) -> list[tuple[str, str]]:
    """Return the parts at one end whose text is within the limit; at least one."""
    kept: list[tuple[str, str]] = []
    size = 0
    for part in reversed(parts) if newest else parts:
        size += len(part[1])
        if kept and size > READ_CHARACTERS:
            break
        kept.append(part)
    return kept[::-1] if newest else kept


TOOLS = (
    Tool(
        name="session_spawn",
        args=words.SpawnToolArgs,
        answer=words.SpawnToolAnswer,
        description="Start (spawn, create, delegate to) another coding agent, claude or codex, in a tmux session of "
        "its own in this project, with a task. It works in the background; session_wait returns once it is done or "
        "asks.",
        run=_spawn,
    ),
    Tool(
        name="session_list",
        args=words.ListToolArgs,
        answer=words.ListToolAnswer,
        description="List the agent sessions (claude, codex, commands) that run in tmux, with the state of each: at "
        "work, waiting for input or a permission, completed, crashed.",
        run=_list,
        reads=True,
    ),
    Tool(
        name="session_wait",
        args=words.WaitToolArgs,
        answer=words.WaitToolAnswer,
        description="Wait until an agent session needs attention: it has finished its turn, asks a question or for a "
        "permission, or has ended. If timedOut is true, call it again; nothing is missed between two calls.",
        run=_wait,
        reads=True,
    ),
    Tool(
        name="session_status",
        args=words.StatusToolArgs,
        answer=words.StatusToolAnswer,
        description="Read the state of one agent session: what it does, what it waits for, and the open dialog "
        "(permission, question) with its choices, for session_send with `answer`.",
        run=_status,
        reads=True,
    ),
    Tool(
        name="session_read",
        args=words.ReadToolArgs,
        answer=words.ReadToolAnswer,
        description="Read the output of an agent session: its conversation, replies, tool calls and results. Give "
        "`next` as `since` in the following call to get only what is new.",
        run=_read,
        reads=True,
    ),
    Tool(
        name="session_send",
        args=words.SendToolArgs,
        answer=words.SendToolAnswer,
        description="Send a message (prompt, reply) to an agent session, answer its open question or permission, or "
        "press keys such as Escape to interrupt it. Give exactly one of text, answer, keys.",
        run=_send,
    ),
    Tool(
        name="session_kill",
        args=words.KillToolArgs,
        answer=words.KillToolAnswer,
        description="End (kill, stop, remove) an agent session and the sessions it has started. Its conversation is "
        "kept in an archive.",
        run=_kill,
    ),
)
_NEXT_TOOLS = {
    **{tool.name: tool.name for tool in TOOLS},
    "session_dialogs": "session_status",
    "session_explain": "session_status",
    "session_monitor": "session_wait",
    "session_capture": "session_read",
    "session_packet": "session_read",
    "session_snapshot": "session_read",
}
"""Tool for each command that `list` and `wait` suggest."""
