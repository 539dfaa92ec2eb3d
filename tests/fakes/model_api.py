"""A fake of the model APIs of claude and codex, controlled by directives in the prompt.

A directive is `[fake STEP then STEP ...]`; the last one in the newest user prompt counts.

    text WORDS             answer; {last} is the newest tool result, {n} how many rounds of them
    slow SECONDS WORDS     answer word by word over that time
    think SECONDS WORDS    reason first
    tool COMMAND           let the agent run a shell command
    ask COMMAND            the same, but codex must ask its user (claude asks by its own rules)
    todos DONE/TOTAL       keep a to-do list, if the agent offers a tool for it
    question TEXT | A | B  let the user choose, if the agent offers a tool for it
    questions TEXT | A | B the same with several choices (claude)
    spawn NAME TASK        start a subagent with a task, if the agent offers a tool for it (codex)
    find QUERY             search the tools that the agent keeps back
    call TOOL JSON         call any tool of the agent with these arguments (claude)
    mcp TOOL JSON          call a tool of an MCP server that such a search found, with these arguments
    wait SECONDS           send nothing, not even headers when this comes first
    hang SECONDS           open the stream, then send nothing
    gate NAME              wait for `open(NAME)` or POST /control/open/NAME; it then stays open
    drop                   cut the connection
    limit SECONDS          fail at a usage limit of five hours that ends so many seconds from now
    error KIND [TIMES]     fail, each time or only so many times; the kinds are in FAILURES

Steps up to a tool step make one model reply; those behind it follow once the agent has sent the
tool's result.  A prompt without a directive gets a short echo, or the text that it asks for with
"Reply with exactly this text and nothing else: TEXT".  The test's side of the wire:
GET /control/health, /control/requests, /control/prompts, /control/gates; POST /control/reset.

    with FakeModelApi() as api:         # api.url, api.open(NAME), api.prompts(), api.wait_for(...)
    python -m tests.fakes.model_api [--port N] [--log FILE] [-- COMMAND...]   # sets FAKE_MODEL_URL
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import unquote, urlsplit

Json = dict[str, Any]

HOST = "127.0.0.1"
POLL_SECONDS = 0.02
KEEPALIVE_SECONDS = 5.0
LAST_RESULT_LIMIT = 400
ECHO_LIMIT = 60
COMPACTING = ("block followed by a <summary> block", "CONTEXT CHECKPOINT COMPACTION")
SUMMARY = "<analysis>\nAs before.\n</analysis>\n\n<summary>\nA fake summary of the conversation.\n</summary>"
EXACTLY = re.compile(r"Reply with exactly this text and nothing else: (\S+)$")
COUNTING = "one two three four five six seven eight nine ten"


# ------------------------------------------------------------------ steps: what a directive asks for


@dataclass(frozen=True)
class Text:
    """Answer with text, spread over some seconds."""

    text: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Reasoning:
    """Reason, spread over some seconds."""

    text: str
    seconds: float


@dataclass(frozen=True)
class Shell:
    """Have the agent run a command; `ask`: outside its sandbox, so that it asks its user."""

    command: str
    ask: bool = False
    several: bool = False
    """Several commands between `|`, called in one reply."""


@dataclass(frozen=True)
class Todos:
    """Have the agent keep a to-do list."""

    done: int
    total: int


@dataclass(frozen=True)
class Question:
    """Have the agent put a choice to its user."""

    text: str
    options: tuple[str, ...]
    several: bool = False


@dataclass(frozen=True)
class Subagent:
    """Have the agent start another one with a task."""

    name: str
    task: str


@dataclass(frozen=True)
class ToolSearch:
    """Have the agent search the tools that it does not offer at first."""

    query: str


@dataclass(frozen=True)
class McpCall:
    """Have the agent call a tool of an MCP server."""

    tool: str
    arguments: Json


@dataclass(frozen=True)
class AnyCall:
    """Have the agent call one of its own tools."""

    tool: str
    arguments: Json


@dataclass(frozen=True)
class Pause:
    """Send nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Stall:
    """Open the stream and send nothing but keep-alives."""

    seconds: float


@dataclass(frozen=True)
class Gate:
    """Send nothing until the test opens the gate."""

    name: str


@dataclass(frozen=True)
class Disconnect:
    """Cut the connection."""


@dataclass(frozen=True)
class ErrorStep:
    """Answer with an error; always, or only the first so many times."""

    kind: str
    times: int | None = None
    resets_in: int | None = None


ToolStep = Shell | Todos | Question | Subagent | ToolSearch | McpCall | AnyCall
Step = Text | Reasoning | ToolStep | Pause | Stall | Gate | Disconnect | ErrorStep


@dataclass(frozen=True)
class ApiError:
    """One kind of API error, in the words of both vendors."""

    status: int
    anthropic: str
    openai: str
    message: str
    retry_after: int | None = None
    resets_in: int | None = None

    def headers(self) -> dict[str, str]:
        """The counts of both APIs at a usage limit."""
        if self.resets_in is None:
            return {}
        end = str(int(time.time()) + self.resets_in)
        unified, codex = "anthropic-ratelimit-unified", "x-codex-primary"
        return {
            f"{unified}-status": "rejected",
            f"{unified}-reset": end,
            f"{unified}-representative-claim": "five_hour",
            f"{codex}-used-percent": "100.0",
            f"{codex}-window-minutes": "300",
            f"{codex}-reset-at": end,
        }


FAILURES = {
    "auth": ApiError(401, "authentication_error", "invalid_api_key", "invalid x-api-key"),
    "permission": ApiError(403, "permission_error", "forbidden", "this key may not use the model"),
    "billing": ApiError(
        400, "invalid_request_error", "insufficient_quota",
        "Your credit balance is too low to access the API.",
    ),
    "bad_request": ApiError(
        400, "invalid_request_error", "invalid_request_error", "the request is malformed"
    ),
    "too_long": ApiError(
        400, "invalid_request_error", "context_length_exceeded",
        "prompt is too long: 250000 tokens > 200000 maximum",
    ),
    "not_found": ApiError(404, "not_found_error", "model_not_found", "there is no such model"),
    "rate_limit": ApiError(
        429, "rate_limit_error", "rate_limit_exceeded", "this exceeds your rate limit", 1
    ),
    "usage_limit": ApiError(
        429, "rate_limit_error", "usage_limit_reached", "the usage limit has been reached"
    ),
    "server": ApiError(500, "api_error", "server_error", "Internal server error"),
    "unavailable": ApiError(503, "api_error", "server_is_overloaded", "Service unavailable"),
    "overloaded": ApiError(529, "overloaded_error", "server_is_overloaded", "Overloaded"),
}  # fmt: skip


# ------------------------------------------------------------------ reading directives


def _split_seconds(rest: str, default: float) -> tuple[float, str]:
    seconds, _, text = rest.partition(" ")
    return float(seconds or default), text.strip()


def _parse_slow(rest: str) -> Step:
    seconds, text = _split_seconds(rest, 5)
    return Text(text or COUNTING, seconds)


def _parse_think(rest: str) -> Step:
    seconds, text = _split_seconds(rest, 1)
    return Reasoning(text or "hm", seconds)


def _parse_todos(rest: str) -> Step:
    done, _, total = rest.partition("/")
    return Todos(int(done), int(total))


def _parse_question(rest: str) -> Step:
    text, *options = (part.strip() for part in rest.split("|"))
    return Question(text or "Which one?", tuple(options) or ("Yes", "No"))


def _parse_mcp_call(rest: str) -> Step:
    tool, _, arguments = rest.partition(" ")
    return McpCall(tool, json.loads(arguments or "{}"))


def _parse_call(rest: str) -> Step:
    tool, _, arguments = rest.partition(" ")
    return AnyCall(tool, json.loads(arguments or "{}"))


def _parse_error(rest: str) -> Step:
    kind, _, times = rest.partition(" ")
    if kind not in FAILURES:
        raise ValueError(f"no error is called {kind!r}")
    return ErrorStep(kind, int(times) if times else None)


def _parse_subagent(rest: str) -> Step:
    name, _, task = rest.partition(" ")
    return Subagent(name, task)


VERBS: dict[str, Callable[[str], Step]] = {
    "text": Text,
    "slow": _parse_slow,
    "think": _parse_think,
    "tool": lambda rest: Shell(rest or "true"),
    "tools": lambda rest: Shell(rest or "true", several=True),
    "ask": lambda rest: Shell(rest or "true", ask=True),
    "todos": _parse_todos,
    "question": _parse_question,
    "questions": lambda rest: replace(_parse_question(rest), several=True),
    "spawn": _parse_subagent,
    "find": ToolSearch,
    "call": _parse_call,
    "mcp": _parse_mcp_call,
    "wait": lambda rest: Pause(float(rest or 5)),
    "hang": lambda rest: Stall(float(rest or 60)),
    "gate": lambda rest: Gate(rest or "gate"),
    "drop": lambda _rest: Disconnect(),
    "error": _parse_error,
    "limit": lambda rest: ErrorStep("usage_limit", resets_in=int(rest or 3600)),
}
BORDER = re.compile(rf"(\[)|(\])|\s+then\s+(?=(?:{'|'.join(VERBS)})\b)")


def directives(prompt: str) -> list[str]:
    """Return the bodies of all outermost `[fake ...]`; brackets inside must balance."""
    found = []
    at = prompt.find("[fake ")
    while at >= 0:
        end = _closing_bracket(prompt, at)
        if end < 0:
            break
        found.append(prompt[at + len("[fake ") : end])
        at = prompt.find("[fake ", end)
    return found


def _closing_bracket(text: str, start: int) -> int:
    depth = 0
    for bracket in re.finditer(r"[\[\]]", text[start:]):
        depth += 1 if bracket[0] == "[" else -1
        if depth == 0:
            return start + bracket.start()
    return -1


def parse_steps(body: str) -> list[Step]:
    """Return the steps of a directive; an invalid step becomes an error text."""
    borders = [0, *_outer_borders(body), len(body)]
    parts = (body[start:end] for start, end in pairwise(borders))
    return [_parse_step(re.sub(r"^\s+then\s+", "", part).strip()) for part in parts]


def _outer_borders(body: str) -> Iterator[int]:
    depth = 0
    for border in BORDER.finditer(body):
        if border[1]:
            depth += 1
        elif border[2]:
            depth -= 1
        elif depth == 0:
            yield border.start()


def _parse_step(part: str) -> Step:
    verb, _, rest = part.partition(" ")
    try:
        return VERBS[verb](rest.strip())
    except (KeyError, ValueError) as problem:
        return Text(f"fake model: cannot read the step {part!r} ({problem})")


def plan_for(prompt: str) -> list[Step]:
    """Return the plan for a prompt: its last directive, or an echo."""
    found = directives(prompt)
    if found:
        return parse_steps(found[-1])
    words = " ".join(prompt.split())
    exact_text = EXACTLY.search(words)
    if exact_text:
        return [Text(exact_text[1])]
    return [Text(f"You said: {words[:ECHO_LIMIT]}" if words else "You said nothing.")]


def steps_of_round(plan: list[Step], number: int) -> list[Step]:
    """The part of a plan for the reply after the given number of tool results."""
    replies: list[list[Step]] = [[]]
    for step in plan:
        replies[-1].append(step)
        if isinstance(step, ToolStep):
            replies.append([])
    steps = replies[number] if number < len(replies) else []
    return steps or [Text("Done.")]


# ------------------------------------------------------------------ reading requests


@dataclass(frozen=True)
class Turn:
    """Position in a conversation: the newest prompt and the tool results since."""

    prompt: str
    results: tuple[str, ...]
    length: int

    @property
    def rounds(self) -> int:
        """Return the number of rounds of tool results since the prompt."""
        return len(self.results)

    def fill(self, text: str) -> str:
        """Put {last} and {n} into a text."""
        last = self.results[-1].strip()[:LAST_RESULT_LIMIT] if self.results else ""
        return text.replace("{n}", str(self.rounds)).replace("{last}", last)


NOTES = re.compile(
    r"\s*(?:<(system-reminder|environment_context|user_instructions|turn_aborted|skill|hook_context"
    r"|local-command-caveat|local-command-stdout|command-name|command-message|command-args"
    r"|subagent_notification|user_shell_command|task-notification)\b.*?</\1>"
    r"|\[Request interrupted by user[^\]]*\]"
    r"|Tool loaded\."
    r"|\# AGENTS\.md instructions.*?</INSTRUCTIONS>)\s*",
    re.DOTALL,
)
PASTED = re.compile(r"(?:\n\n)?<pasted_content\b[^>]*>\n(.*?)\n</pasted_content\b[^>]*>\n?", re.DOTALL)

MID_TURN = re.compile(
    r"The user sent a new message while you were working:\n(.*)\n\nThis is how Claude Code surfaces.*",
    re.DOTALL,
)


def strip_wrapping(text: str) -> str:
    """Return the text that the user typed or pasted, without notes and wrapping added by the agent."""
    while note := NOTES.match(text):
        text = text[note.end() :]
    if sent_mid_turn := MID_TURN.fullmatch(text):
        text = sent_mid_turn[1]
    return PASTED.sub(lambda tag: tag[1], text)


def text_of(content: object) -> str:
    """The text in a message's content, in any of its shapes."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))


HistoryEntry = tuple[str, str]  # ("prompt" | "result" | "other", text)


def read_turn(history: Iterable[HistoryEntry], length: int) -> Turn:
    """Walk back from the end of a conversation to its newest prompt."""
    results: list[str] = []
    previous = ""
    for kind, text in history:
        if kind == "prompt":
            return Turn(text, tuple(reversed(results)), length)
        if kind == "result" and previous != "result":
            results.append(text)
        previous = kind
    return Turn("", tuple(reversed(results)), length)


def read_messages_history(messages: list[Json]) -> Iterator[HistoryEntry]:
    """Yield the messages of a Messages request, newest first."""
    for message in reversed(messages):
        if message["role"] == "assistant":
            yield "other", ""
        if message["role"] != "user":
            continue
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in reversed(blocks):
            if block["type"] == "tool_result":
                yield "result", text_of(block.get("content"))
            elif block["type"] == "text" and (prompt := strip_wrapping(block["text"])).strip():
                yield "prompt", prompt


def read_responses_history(items: list[Json]) -> Iterator[HistoryEntry]:
    """Yield the messages of a Responses request, newest first."""
    for item in reversed(items):
        kind = str(item.get("type", "message"))
        if kind == "tool_search_output":
            yield "result", json.dumps(item.get("tools"))
        elif kind.endswith("_call_output"):
            output = text_of(item.get("output"))
            yield "result", output.rpartition("\nOutput:\n")[2]
        elif kind.endswith("_call"):
            yield "other", ""
        elif item.get("role") == "user" and (prompt := strip_wrapping(text_of(item["content"]))).strip():
            yield "prompt", prompt


# ------------------------------------------------------------------ tools


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the agent's tools."""

    name: str
    arguments: Json
    namespace: str = ""


def tool_calls(step: ToolStep, offered: set[str]) -> list[ToolCall]:
    """The calls which make an agent do a step; none if it offers no tool for that."""
    match step:
        case Shell():
            makers = SHELL_TOOLS
        case Todos():
            makers = TODO_TOOLS
        case Question():
            makers = QUESTION_TOOLS
        case Subagent():
            makers = SUBAGENT_TOOLS
        case ToolSearch():
            makers = SEARCH_TOOLS
        case McpCall():
            return _mcp_call(step, offered)
        case AnyCall():
            return [ToolCall(step.tool, step.arguments)] if step.tool in offered else []
    for name, make in makers.items():
        if name in offered:
            return make(step)
    return []


def _bash(step: Any) -> list[ToolCall]:
    commands = step.command.split(" | ") if step.several else [step.command]
    return [ToolCall("Bash", {"command": command, "description": "Run a command"}) for command in commands]


def _exec_command(step: Any) -> list[ToolCall]:
    arguments: Json = {"cmd": step.command}
    if step.ask:
        arguments["sandbox_permissions"] = "require_escalated"
        arguments["justification"] = "May the fake model run this outside the sandbox?"
    return [ToolCall("exec_command", arguments)]


def _todo_states(step: Any) -> Iterator[tuple[str, str]]:
    for number in range(1, step.total + 1):
        first_open = number == step.done + 1
        state = "completed" if number <= step.done else "in_progress" if first_open else "pending"
        yield f"Step {number}", state


def _todo_write(step: Any) -> list[ToolCall]:
    todos = [
        {"content": name, "status": state, "activeForm": f"Doing {name.lower()}"} for name, state in _todo_states(step)
    ]
    return [ToolCall("TodoWrite", {"todos": todos})]


def _task_create(step: Any) -> list[ToolCall]:
    states = list(_todo_states(step))
    made = [ToolCall("TaskCreate", {"subject": name, "description": name}) for name, _ in states]
    changed = [
        ToolCall("TaskUpdate", {"taskId": str(number), "status": state})
        for number, (_, state) in enumerate(states, 1)
        if state != "pending"
    ]
    return made + changed


def _update_plan(step: Any) -> list[ToolCall]:
    plan = [{"step": name, "status": state} for name, state in _todo_states(step)]
    return [ToolCall("update_plan", {"plan": plan})]


def _options(step: Any) -> list[Json]:
    return [{"label": option, "description": f"Choose {option}"} for option in step.options]


def _ask_user_question(step: Any) -> list[ToolCall]:
    question = {
        "question": step.text,
        "header": "Choice",
        "options": _options(step),
        "multiSelect": step.several,
    }
    return [ToolCall("AskUserQuestion", {"questions": [question]})]


def _request_user_input(step: Any) -> list[ToolCall]:
    question = {
        "id": "choice",
        "header": "Choice",
        "question": step.text,
        "options": _options(step),
    }
    return [ToolCall("request_user_input", {"questions": [question]})]


def _spawn_agent(step: Any) -> list[ToolCall]:
    arguments = {"task_name": step.name, "message": step.task, "fork_turns": "none"}
    return [ToolCall("spawn_agent", arguments, "collaboration")]


def _spawn_found_agent(step: Any) -> list[ToolCall]:
    """Call the tool that codex offers only after a search."""
    return [ToolCall("spawn_agent", {"message": step.task}, "multi_agent_v1")]


def _mcp_call(step: McpCall, offered: set[str]) -> list[ToolCall]:
    """Return the call of a tool of the server `lisa`, as claude or codex names it."""
    if "exec_command" in offered:
        return [ToolCall(step.tool, step.arguments, namespace="mcp__lisa")]
    return [ToolCall(f"mcp__lisa__{step.tool}", step.arguments)]


ToolMaker = Callable[[Any], list[ToolCall]]
SHELL_TOOLS: dict[str, ToolMaker] = {"Bash": _bash, "exec_command": _exec_command}
TODO_TOOLS: dict[str, ToolMaker] = {
    "TodoWrite": _todo_write,
    "TaskCreate": _task_create,
    "update_plan": _update_plan,
}
QUESTION_TOOLS: dict[str, ToolMaker] = {
    "AskUserQuestion": _ask_user_question,
    "request_user_input": _request_user_input,
}
SUBAGENT_TOOLS: dict[str, ToolMaker] = {"collaboration": _spawn_agent, "tool_search": _spawn_found_agent}
SEARCH_TOOLS: dict[str, ToolMaker] = {
    "ToolSearch": lambda step: [ToolCall("ToolSearch", {"query": step.query, "max_results": 8})],
    "tool_search": lambda step: [ToolCall("tool_search", {"query": step.query, "limit": 8})],
}


# ------------------------------------------------------------------ replies


def split_words(text: str) -> list[str]:
    """A text in streamable pieces."""
    return re.findall(r"\s*\S+\s*", text) or [text]


def count_tokens(value: object) -> int:
    """Estimate the number of tokens of a value."""
    return len(json.dumps(value)) // 4 + 1


def fresh_id(prefix: str) -> str:
    """An id like those of the vendors."""
    return f"{prefix}_{uuid.uuid4().hex[:24]}"


class Reply(ABC):
    """One model reply on its way to an agent."""

    def __init__(self, connection: HttpConnection, body: Json) -> None:
        self.connection = connection
        self.body = body
        self.opened = False

    def open(self) -> None:
        """Send the head of the reply, once."""
        if not self.opened:
            self.opened = True
            self._send_head()

    @abstractmethod
    def _send_head(self) -> None: ...

    @abstractmethod
    def send_text(self, step: Text) -> None:
        """Send text."""

    @abstractmethod
    def send_reasoning(self, step: Reasoning) -> None:
        """Send reasoning."""

    @abstractmethod
    def call_tool(self, call: ToolCall) -> None:
        """Call a tool."""

    @abstractmethod
    def close(self) -> None:
        """Send the end of the reply."""

    @abstractmethod
    def send_error(self, failure: ApiError) -> None:
        """Send an error instead of a reply."""

    @abstractmethod
    def send_keepalive(self) -> None:
        """Send a keep-alive."""

    def disconnect(self) -> None:
        """Break off in the middle."""
        self.open()
        self.connection.disconnect()

    def paced_words(self, text: str, seconds: float) -> Iterator[str]:
        """The words of a text, each in its time."""
        pieces = split_words(text)
        for piece in pieces:
            self.connection.wait(seconds / len(pieces))
            yield piece


class MessagesReply(Reply):
    """A reply of Anthropic's Messages API, streamed or whole."""

    def __init__(self, connection: HttpConnection, body: Json) -> None:
        super().__init__(connection, body)
        self.streaming = bool(body.get("stream"))
        self.content: list[Json] = []
        usage = {
            "input_tokens": count_tokens(body),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        }
        self.message: Json = {
            "id": fresh_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "fake"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }

    def _send_head(self) -> None:
        if self.streaming:
            self.connection.start_events()
            self.connection.send_event("message_start", {"message": self.message})

    def send_text(self, step: Text) -> None:
        pieces = ({"type": "text_delta", "text": word} for word in self.paced_words(step.text, step.seconds))
        self._send_block({"type": "text", "text": ""}, pieces, {"type": "text", "text": step.text})

    def send_reasoning(self, step: Reasoning) -> None:
        signature = "ZmFrZQ=="
        empty = {"type": "thinking", "thinking": "", "signature": ""}
        self._send_block(
            empty,
            self._reasoning_deltas(step, signature),
            {"type": "thinking", "thinking": step.text, "signature": signature},
        )

    def _reasoning_deltas(self, step: Reasoning, signature: str) -> Iterator[Json]:
        for word in self.paced_words(step.text, step.seconds):
            yield {"type": "thinking_delta", "thinking": word}
        yield {"type": "signature_delta", "signature": signature}

    def call_tool(self, call: ToolCall) -> None:
        head: Json = {"type": "tool_use", "id": fresh_id("toolu"), "name": call.name, "input": {}}
        piece = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        self._send_block(head, [piece], {**head, "input": call.arguments})

    def _send_block(self, head: Json, pieces: Iterable[Json], whole: Json) -> None:
        self.open()
        index = len(self.content)
        self._send_event("content_block_start", {"index": index, "content_block": head})
        for piece in pieces:
            self._send_event("content_block_delta", {"index": index, "delta": piece})
        self._send_event("content_block_stop", {"index": index})
        self.content.append(whole)

    def _send_event(self, kind: str, data: Json) -> None:
        if self.streaming:
            self.connection.send_event(kind, data)

    def send_keepalive(self) -> None:
        if self.opened:
            self._send_event("ping", {})

    def close(self) -> None:
        self.open()
        used_tool = any(block["type"] == "tool_use" for block in self.content)
        stop = {"stop_reason": "tool_use" if used_tool else "end_turn", "stop_sequence": None}
        usage = {"output_tokens": count_tokens(self.content)}
        self._send_event("message_delta", {"delta": stop, "usage": usage})
        self._send_event("message_stop", {})
        if not self.streaming:
            whole_usage = {**self.message["usage"], **usage}
            self.connection.send_json(200, {**self.message, **stop, "content": self.content, "usage": whole_usage})

    def send_error(self, failure: ApiError) -> None:
        error = {"type": failure.anthropic, "message": failure.message}
        if self.opened and self.streaming:
            self._send_event("error", {"error": error})
        else:
            body = {"type": "error", "error": error, "request_id": fresh_id("req")}
            self.connection.send_json(failure.status, body, failure.retry_after, failure.headers())


class ResponsesReply(Reply):
    """A reply of OpenAI's Responses API; always streamed."""

    def __init__(self, connection: HttpConnection, body: Json) -> None:
        super().__init__(connection, body)
        self.items: list[Json] = []
        self.response: Json = {
            "id": fresh_id("resp"),
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "model": body.get("model", "fake"),
            "output": [],
        }

    def _send_head(self) -> None:
        self.connection.start_events()
        self.connection.send_event("response.created", {"response": self.response})

    def send_text(self, step: Text) -> None:
        whole = {"type": "output_text", "text": step.text, "annotations": []}
        item: Json = {
            "id": fresh_id("msg"),
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [whole],
        }
        where = {**self._start_item(item, content=[]), "content_index": 0}
        self.connection.send_event("response.content_part.added", {**where, "part": {**whole, "text": ""}})
        for word in self.paced_words(step.text, step.seconds):
            self.connection.send_event("response.output_text.delta", {**where, "delta": word})
        self.connection.send_event("response.output_text.done", {**where, "text": step.text})
        self._finish_item(item)

    def send_reasoning(self, step: Reasoning) -> None:
        whole = {"type": "summary_text", "text": step.text}
        item: Json = {"id": fresh_id("rs"), "type": "reasoning", "summary": [whole]}
        where = {**self._start_item(item, summary=[]), "summary_index": 0}
        part = {**whole, "text": ""}
        self.connection.send_event("response.reasoning_summary_part.added", {**where, "part": part})
        for word in self.paced_words(step.text, step.seconds):
            self.connection.send_event("response.reasoning_summary_text.delta", {**where, "delta": word})
        self._finish_item(item)

    def call_tool(self, call: ToolCall) -> None:
        item: Json = {
            "id": fresh_id("fc"),
            "type": "function_call",
            "call_id": fresh_id("call"),
            "name": call.name,
            **({"namespace": call.namespace} if call.namespace else {}),
            "arguments": json.dumps(call.arguments),
            "status": "completed",
        }
        if call.name == "tool_search":
            item |= {"type": "tool_search_call", "execution": "client", "arguments": call.arguments}
            del item["name"]
        self._start_item(item, status="in_progress")
        self._finish_item(item)

    def _start_item(self, item: Json, **unfinished: object) -> Json:
        self.open()
        index = len(self.items)
        added = {"output_index": index, "item": {**item, **unfinished}}
        self.connection.send_event("response.output_item.added", added)
        return {"item_id": item["id"], "output_index": index}

    def _finish_item(self, item: Json) -> None:
        done = {"output_index": len(self.items), "item": item}
        self.connection.send_event("response.output_item.done", done)
        self.items.append(item)

    def close(self) -> None:
        self.open()
        input_tokens, output_tokens = count_tokens(self.body), count_tokens(self.items)
        usage = {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
        }
        whole = {**self.response, "status": "completed", "output": self.items, "usage": usage}
        self.connection.send_event("response.completed", {"response": whole})

    def send_keepalive(self) -> None:
        """Do nothing: codex needs no keep-alive."""

    def send_error(self, failure: ApiError) -> None:
        error: Json = {"type": failure.openai, "code": failure.openai, "message": failure.message}
        if failure.openai == "usage_limit_reached":
            seconds = failure.resets_in or 3600
            error |= {"plan_type": "plus", "resets_in_seconds": seconds}
            error |= {"resets_at": int(time.time()) + seconds}
        if self.opened:
            broken = {**self.response, "status": "failed", "error": error}
            self.connection.send_event("response.failed", {"response": broken})
        else:
            status = 503 if failure.status == 529 else failure.status
            self.connection.send_json(status, {"error": error}, failure.retry_after, failure.headers())


# ------------------------------------------------------------------ memory: requests and gates


@dataclass
class Request:
    """One request of an agent, for tests."""

    number: int
    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    agent: str = ""  # claude | codex
    session: str = ""  # the agent's own session or thread id
    kind: str = "other"  # prompt | results (of tools) | title, compact (asked by the agent) | other
    prompt: str = ""
    retry: bool = False  # the same prompt again, after we failed or dropped it
    outcome: str = "open"  # answered | failed | dropped | gone (the agent hung up)
    length: int = 0
    credential: str = ""  # the last characters of the key or token


class Journal:
    """All requests so far, in memory and on request in a file; safe for threads."""

    def __init__(self, log: Path | None) -> None:
        self.changed = threading.Condition()
        self.log = log
        self.requests: list[Request] = []
        self.failed: Counter[tuple[object, ...]] = Counter()

    def add(self, request: Request) -> None:
        """Number and keep a request."""
        with self.changed:
            request.number = len(self.requests) + 1
            request.retry = any(self._is_repeat(request, before) for before in self.requests)
            self.requests.append(request)
            if self.log:
                with self.log.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({**asdict(request), "credential": ""}) + "\n")
            self.changed.notify_all()

    @staticmethod
    def _is_repeat(request: Request, before: Request) -> bool:
        same = (request.session, request.kind, request.length, request.prompt) == (
            before.session, before.kind, before.length, before.prompt,
        )  # fmt: skip
        return same and request.kind == "prompt" and before.outcome in ("failed", "dropped")

    def finish(self, request: Request, outcome: str) -> None:
        """Note how a request ended."""
        with self.changed:
            request.outcome = outcome
            self.changed.notify_all()

    def should_fail(self, step: ErrorStep, *step_key: object) -> bool:
        """Return True if a failing step must still fail; after it passed, the count restarts."""
        with self.changed:
            self.failed[step_key] += 1
            must_fail = step.times is None or self.failed[step_key] <= step.times
            if not must_fail:
                del self.failed[step_key]
            return must_fail

    def reset(self) -> None:
        """Forget everything."""
        with self.changed:
            self.requests.clear()
            self.failed.clear()


class Gates:
    """Named gates which replies wait at."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.opened: set[str] = set()
        self.waiting: Counter[str] = Counter()

    def open(self, name: str) -> None:
        """Let everything pass, now and later."""
        with self.changed:
            self.opened.add(name)
            self.changed.notify_all()

    def is_open(self, name: str) -> bool:
        """Return True if a gate was opened."""
        return name in self.opened

    @contextmanager
    def queue(self, name: str) -> Iterator[None]:
        """Be counted as waiting."""
        self._count(name, 1)
        try:
            yield
        finally:
            self._count(name, -1)

    def _count(self, name: str, change: int) -> None:
        with self.changed:
            self.waiting[name] += change
            self.changed.notify_all()

    def state(self) -> dict[str, Json]:
        """Return all known gates."""
        with self.changed:
            names = self.opened | set(self.waiting)
            return {name: {"open": name in self.opened, "waiting": self.waiting[name]} for name in names}

    def reset(self) -> None:
        """Close all gates again."""
        with self.changed:
            self.opened.clear()


# ------------------------------------------------------------------ the server


class HttpConnection(BaseHTTPRequestHandler):
    """The HTTP of one request: what replies are written to, and how they wait."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def api(self) -> FakeModelApi:
        """The server's owner."""
        return cast("_Server", self.server).api

    def log_message(self, *_line: object) -> None:
        """Keep stderr quiet."""

    def send_json(
        self, status: int, value: object, retry_after: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole JSON answer."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("request-id", fresh_id("req"))
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def start_events(self) -> None:
        """Send the head of an event stream; its end is the end of the connection."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("connection", "close")
        self.send_header("request-id", fresh_id("req"))
        self.end_headers()

    def send_event(self, kind: str, data: Json) -> None:
        """Send one event."""
        line = json.dumps({"type": kind, **data})
        self.wfile.write(f"event: {kind}\ndata: {line}\n\n".encode())

    def disconnect(self) -> None:
        """Cut the connection without further output."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float, passed: Callable[[], bool] = lambda: False) -> None:
        """Wait so long, or until `passed`; ConnectionError when the agent or the server leaves."""
        deadline = time.monotonic() + seconds
        while not passed() and (left := deadline - time.monotonic()) > 0:
            if self.api.closing.wait(min(left, POLL_SECONDS)) or self._agent_left():
                raise ConnectionAbortedError("nobody waits for this reply any more")

    def _agent_left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def read_body(self) -> Any:
        """The request's JSON ({} when there is none)."""
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return json.loads(raw) if raw else {}


class Handler(HttpConnection):
    """Takes requests to the two APIs and to the test's controls."""

    def do_GET(self) -> None:
        """Route a request; requests of agents are kept, those of tests are not."""
        path = urlsplit(self.path).path
        if path.startswith("/control/"):
            self._control(unquote(path).removeprefix("/control/"))
            return
        request = self._record(path)
        try:
            outcome = self._answer(request, path)
        except ConnectionError:
            self.close_connection = True
            outcome = "gone"
        self.api.journal.finish(request, outcome)

    do_POST = do_HEAD = do_GET

    def _record(self, path: str) -> Request:
        headers = {name.lower(): mask_header(name, value) for name, value in self.headers.items()}
        request = Request(0, time.time(), self.command, self.path, headers, self.read_body())
        request.credential = (self.headers.get("x-api-key") or self.headers.get("authorization") or "")[-8:]
        if self.command == "POST" and path.endswith("/v1/messages"):
            describe_claude(request)
        elif self.command == "POST" and path.endswith("/v1/responses"):
            describe_codex(request)
        self.api.journal.add(request)
        return request

    def _answer(self, request: Request, path: str) -> str:
        if request.agent == "claude":
            turn = claude_turn(request.body)
            return self._send_reply(request, turn, MessagesReply(self, request.body))
        if request.agent == "codex":
            turn = codex_turn(request.body)
            return self._send_reply(request, turn, ResponsesReply(self, request.body))
        if path.endswith("/count_tokens"):
            self.send_json(200, {"input_tokens": count_tokens(request.body)})
        elif path.endswith("/models"):
            self.send_json(200, {"object": "list", "data": [], "models": [], "has_more": False})
        else:
            known = path in ("/", "/api/hello")
            self.send_json(200 if known else 404, {"ok": known})
        return "answered"

    def _send_reply(self, request: Request, turn: Turn, reply: Reply) -> str:
        if request.kind in ("title", "compact"):
            reply.send_text(Text(SUMMARY if request.kind == "compact" else json.dumps({"title": self.api.title})))
            reply.close()
            return "answered"
        offered = {str(tool.get("name") or tool.get("type")) for tool in request.body.get("tools") or []}
        for number, step in enumerate(steps_of_round(plan_for(turn.prompt), turn.rounds)):
            match step:
                case ErrorStep() if not self.api.journal.should_fail(
                    step, request.session, turn.prompt, turn.rounds, number
                ):
                    continue
                case ErrorStep():
                    self.api.journal.finish(request, "failed")  # the retry comes fast
                    reply.send_error(replace(FAILURES[step.kind], resets_in=step.resets_in))
                    return "failed"
                case Disconnect():
                    self.api.journal.finish(request, "dropped")
                    reply.disconnect()
                    return "dropped"
                case Pause() | Stall() | Gate():
                    self._pause_reply(step, reply)
                case Reasoning():
                    reply.send_reasoning(step)
                case Text():
                    reply.send_text(Text(turn.fill(step.text), step.seconds))
                case Shell() | Todos() | Question() | Subagent() | ToolSearch() | McpCall() | AnyCall():
                    call_tools(reply, step, offered)
        reply.close()
        return "answered"

    def _pause_reply(self, step: Pause | Stall | Gate, reply: Reply) -> None:
        match step:
            case Pause():
                self.wait(step.seconds)
            case Stall():
                reply.open()
                deadline = time.monotonic() + step.seconds
                while (left := deadline - time.monotonic()) > 0:
                    self.wait(min(left, KEEPALIVE_SECONDS))
                    reply.send_keepalive()
            case Gate():
                gates = self.api.gates
                with gates.queue(step.name):
                    while not gates.is_open(step.name):
                        self.wait(KEEPALIVE_SECONDS, lambda: gates.is_open(step.name))
                        reply.send_keepalive()

    def _control(self, path: str) -> None:
        self.read_body()
        verb, _, name = path.partition("/")
        if self.command == "POST" and verb == "open" and name:
            self.api.open(name)
            self.send_json(200, {"open": name})
        elif self.command == "POST" and verb == "reset":
            self.api.reset()
            self.send_json(200, {"ok": True})
        elif self.command == "GET" and path in CONTROL_VIEWS:
            self.send_json(200, CONTROL_VIEWS[path](self.api))
        else:
            self.send_json(404, {"error": f"no control {self.command} {path}"})


def mask_header(name: str, value: str) -> str:
    """A header's value, hidden when it may be a secret."""
    return "(hidden)" if re.search("auth|key|cookie|secret|token", name, re.IGNORECASE) else value


def claude_turn(body: Json) -> Turn:
    """Return the position in a claude conversation."""
    messages = body.get("messages") or []
    return read_turn(read_messages_history(messages), len(messages))


def codex_turn(body: Json) -> Turn:
    """Return the position in a codex conversation."""
    items = body.get("input") or []
    return read_turn(read_responses_history(items), len(items))


def describe_claude(request: Request) -> None:
    """Fill in what a request of claude is about."""
    body = request.body
    titling = not body.get("tools") and "format" in (body.get("output_config") or {})
    request.agent = "claude"
    request.session = request.headers.get("x-claude-code-session-id", "")
    _describe_turn(request, claude_turn(body), titling)


def describe_codex(request: Request) -> None:
    """Fill in what a request of codex is about."""
    metadata = json.loads(request.headers.get("x-codex-turn-metadata") or "{}")
    request.agent = "codex"
    request.session = request.headers.get("thread-id", "")
    titling = metadata.get("thread_source") == "thread_title"
    _describe_turn(request, codex_turn(request.body), titling)


def _describe_turn(request: Request, turn: Turn, titling: bool) -> None:
    request.prompt = turn.prompt
    request.length = turn.length
    compacting = any(mark in turn.prompt for mark in COMPACTING)
    own = "title" if titling else "compact" if compacting else ""
    request.kind = own or ("results" if turn.rounds else "prompt")


def call_tools(reply: Reply, step: ToolStep, offered: set[str]) -> None:
    """Call the tools for a step, or reply that there are none."""
    calls = tool_calls(step, offered)
    for call in calls:
        reply.call_tool(call)
    if not calls:
        kind = type(step).__name__.lower()
        reply.send_text(Text(f"fake model: no tool for {kind} among {', '.join(sorted(offered))}"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    api: FakeModelApi

    def handle_error(self, request: object, client_address: object) -> None:
        """Print a trace, unless the agent has closed the connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(cast("Any", request), client_address)


class FakeModelApi:
    """The fake server; serves in the background from `start` (or `with`) to `close`."""

    def __init__(self, port: int = 0, log: Path | None = None, title: str = "Fake session") -> None:
        self.title = title
        self.journal = Journal(log)
        self.gates = Gates()
        self.closing = threading.Event()
        self._server = _Server((HOST, port), Handler)
        self._server.api = self

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The base URL for claude; codex needs /v1 behind it."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        """Begin to serve."""
        serve = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        serve.start()
        return self

    def close(self) -> None:
        """Break off every open reply and stop."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def open(self, gate: str) -> None:
        """Open a gate, for replies that wait there and for later ones."""
        self.gates.open(gate)

    def reset(self) -> None:
        """Forget all requests and close all gates."""
        self.journal.reset()
        self.gates.reset()

    @property
    def requests(self) -> list[Request]:
        """Return all requests of the agents so far."""
        with self.journal.changed:
            return list(self.journal.requests)

    def prompts(self, agent: str | None = None, session: str | None = None) -> list[str]:
        """Return the prompts that arrived, each once in spite of retries."""
        return [
            request.prompt
            for request in self.requests
            if request.kind == "prompt"
            and not request.retry
            and agent in (None, request.agent)
            and session in (None, request.session)
        ]

    def wait_for(self, wanted: Callable[[Request], bool], timeout: float = 20) -> Request:
        """Wait for the first request that matches; raise TimeoutError if none does."""

        def find() -> Request | None:
            return next((request for request in self.journal.requests if wanted(request)), None)

        with self.journal.changed:
            found = self.journal.changed.wait_for(find, timeout)
        if found is None:
            raise TimeoutError(f"no such request in {timeout} s; prompts were {self.prompts()}")
        return found

    def wait_for_prompt(self, part: str, timeout: float = 20) -> Request:
        """The first request whose newest prompt holds this text."""
        return self.wait_for(lambda r: r.kind == "prompt" and part in r.prompt, timeout)

    def wait_at_gate(self, gate: str, timeout: float = 20) -> None:
        """Wait until a reply is held back at a gate; TimeoutError when none comes."""
        with self.gates.changed:
            arrived = self.gates.changed.wait_for(lambda: self.gates.waiting[gate] > 0, timeout)
        if not arrived:
            raise TimeoutError(f"nothing waits at gate {gate!r}; prompts were {self.prompts()}")


CONTROL_VIEWS: dict[str, Callable[[FakeModelApi], object]] = {
    "health": lambda _api: {"ok": True},
    "requests": lambda api: [asdict(request) for request in api.requests],
    "prompts": lambda api: api.prompts(),
    "gates": lambda api: api.gates.state(),
}


# ------------------------------------------------------------------ as a command


def main(arguments: list[str] | None = None) -> int:
    """Serve until a command ends, or for ever."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.model_api", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--log", type=Path, help="append every request to this file as a JSON line")
    parser.add_argument("command", nargs="*", help="after --: run this with FAKE_MODEL_URL set")
    options = parser.parse_args(arguments)
    with FakeModelApi(options.port, options.log) as api:
        if options.command:
            environment = {**os.environ, "FAKE_MODEL_URL": api.url}
            return subprocess.call(options.command, env=environment)
        print(api.url, flush=True)
        return _serve_for_ever()


def _serve_for_ever() -> int:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
