"""The fake model server, called as the agents call it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_api import (
    FAILURES,
    ErrorStep,
    FakeModelApi,
    Gate,
    Shell,
    Text,
    Todos,
    directives,
    parse_steps,
    strip_wrapping,
)

Json = dict[str, Any]
CLAUDE_TOOLS = ["Bash", "TodoWrite", "AskUserQuestion"]
CODEX_TOOLS = ["exec_command", "update_plan", "request_user_input"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def api() -> Iterator[FakeModelApi]:
    with FakeModelApi() as running:
        yield running


# ------------------------------------------------------------------ the two clients


def post(url: str, body: Json, headers: dict[str, str] | None = None) -> str:
    sent = {"content-type": "application/json", "authorization": "Bearer hush", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), sent)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def events(stream: str) -> list[Json]:
    return [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]


def ask_claude(api: FakeModelApi, *messages: Json, stream: bool = True) -> Any:
    """The content blocks of a Messages reply."""
    tools = [{"name": name} for name in CLAUDE_TOOLS]
    body = {"model": "m", "messages": list(messages), "tools": tools, "stream": stream}
    answer = post(f"{api.url}/v1/messages?beta=true", body, {"x-claude-code-session-id": "S"})
    return blocks_of(events(answer)) if stream else json.loads(answer)["content"]


def blocks_of(stream: list[Json]) -> list[Json]:
    """Put the deltas of a Messages stream together."""
    blocks: list[Json] = []
    for event in stream:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            add_delta(blocks[event["index"]], event["delta"])
    return blocks


def add_delta(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "input_json_delta":
            block["input"] = json.loads(delta["partial_json"])


def ask_codex(api: FakeModelApi, *items: Json, source: str = "user") -> list[Json]:
    """The output items of a Responses reply."""
    tools = [{"type": "function", "name": name} for name in CODEX_TOOLS]
    metadata = json.dumps({"thread_source": source})
    headers = {"thread-id": "T", "x-codex-turn-metadata": metadata}
    body = {"model": "m", "input": list(items), "tools": tools, "stream": True}
    stream = events(post(f"{api.url}/v1/responses", body, headers))
    assert stream[-1]["type"] == "response.completed"
    output: list[Json] = stream[-1]["response"]["output"]
    return output


def user(*texts: str) -> Json:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def tool_result(text: str) -> Json:
    return {"role": "user", "content": [{"type": "tool_result", "content": text}]}


def item(text: str, role: str = "user") -> Json:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def output_item(text: str) -> Json:
    return {"type": "function_call_output", "output": f"Wall time: 0\nOutput:\n{text}\n"}


ASSISTANT: Json = {"role": "assistant", "content": []}
CALL: Json = {"type": "function_call"}


# ------------------------------------------------------------------ directives


def test_steps_are_split_only_at_then_before_a_verb() -> None:
    body = "tool if x; then y; fi then text a then b"
    assert parse_steps(body) == [Shell("if x; then y; fi"), Text("a then b")]


def test_brackets_may_nest() -> None:
    prompt = "do [fake tool run '[fake text in then text out]' then text [x]] please"
    (body,) = directives(prompt)
    assert parse_steps(body) == [Shell("run '[fake text in then text out]'"), Text("[x]")]


def test_every_argument_is_read() -> None:
    steps = parse_steps("ask ls then todos 2/5 then gate g then error rate_limit 2")
    assert steps == [Shell("ls", ask=True), Todos(2, 5), Gate("g"), ErrorStep("rate_limit", 2)]


@pytest.mark.parametrize("body", ["sing a song", "error nonsense", "todos many", "wait long"])
def test_unreadable_step_is_named_in_the_answer(body: str) -> None:
    (step,) = parse_steps(body)
    assert isinstance(step, Text)
    assert "cannot read" in step.text


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("<system-reminder>\nx\n</system-reminder>\n hi", "hi"),
        ("[Request interrupted by user]\n", ""),
        ('say\n\n<pasted_content id="1">\na\n b\n</pasted_content id="1">\n', "saya\n b"),
        (
            "The user sent a new message while you were working:\nhi\n\nThis is how Claude Code surfaces messages",
            "hi",
        ),
        ("<environment_context>\n</environment_context>", ""),
        ("  plain <b>text</b>\n", "  plain <b>text</b>\n"),
    ],
)
def test_only_typed_text_is_kept(sent: str, typed: str) -> None:
    assert strip_wrapping(sent) == typed


# ------------------------------------------------------------------ answers


def test_plain_prompt_is_echoed(api: FakeModelApi) -> None:
    assert ask_claude(api, user("hello you"))[0]["text"] == "You said: hello you"
    assert ask_codex(api, item("hello you"))[0]["content"][0]["text"] == "You said: hello you"


def test_claude_answer_does_not_depend_on_streaming(api: FakeModelApi) -> None:
    ask = user("[fake think 0 hm then text a  b\nc]")
    streamed = ask_claude(api, ask)
    whole = ask_claude(api, ask, stream=False)
    assert [block.get("text") for block in streamed] == [block.get("text") for block in whole]
    assert streamed[0]["thinking"] == whole[0]["thinking"] == "hm"


def test_the_last_directive_of_the_newest_prompt_counts(api: FakeModelApi) -> None:
    reminder = "<system-reminder>\n[fake text no]\n</system-reminder>"
    joined = user(reminder, "[fake text old]\n", "[fake text no] [fake text new]")
    (block,) = ask_claude(api, user("[fake text older]"), ASSISTANT, joined)
    assert block["text"] == "new"
    assert api.prompts() == ["[fake text no] [fake text new]"]


def test_claude_runs_tool_steps(api: FakeModelApi) -> None:
    ask = user("[fake text first then tool one then tool two then text end {n} {last}]")
    text, call = ask_claude(api, ask)
    assert text["text"] == "first"
    assert (call["name"], call["input"]["command"]) == ("Bash", "one")
    history = [ask, ASSISTANT, tool_result("1")]
    assert ask_claude(api, *history)[0]["input"]["command"] == "two"
    history += [ASSISTANT, tool_result("2")]
    assert ask_claude(api, *history)[0]["text"] == "end 2 2"
    assert ask_claude(api, *history, ASSISTANT, tool_result("3"))[0]["text"] == "Done."


def test_codex_runs_tool_steps(api: FakeModelApi) -> None:
    ask = item("[fake tool one then ask two then text end {n} {last}]")
    (first,) = ask_codex(api, item("rules", "developer"), ask)
    assert json.loads(first["arguments"]) == {"cmd": "one"}
    (second,) = ask_codex(api, ask, CALL, output_item("1"))
    assert json.loads(second["arguments"])["sandbox_permissions"] == "require_escalated"
    (end,) = ask_codex(api, ask, CALL, output_item("1"), CALL, output_item("2"))
    assert end["content"][0]["text"] == "end 2 2"


def test_todos_and_questions_use_offered_tools(api: FakeModelApi) -> None:
    (todos,) = ask_claude(api, user("[fake todos 1/3]"))
    states = [todo["status"] for todo in todos["input"]["todos"]]
    assert states == ["completed", "in_progress", "pending"]
    (plan,) = ask_codex(api, item("[fake todos 1/3]"))
    assert [step["status"] for step in json.loads(plan["arguments"])["plan"]] == states
    (question,) = ask_claude(api, user("[fake question Which? | red | blue]"))
    options = question["input"]["questions"][0]["options"]
    assert [option["label"] for option in options] == ["red", "blue"]
    (call,) = ask_codex(api, item("[fake question Which?]"))
    assert json.loads(call["arguments"])["questions"][0]["question"] == "Which?"


def test_hidden_title_requests_are_recognised(api: FakeModelApi) -> None:
    body = {
        "messages": [user("[fake error auth]")],
        "output_config": {"format": {}},
        "stream": False,
    }
    answer = json.loads(post(f"{api.url}/v1/messages", body))
    assert json.loads(answer["content"][0]["text"]) == {"title": "Fake session"}
    (title,) = ask_codex(api, item("[fake error auth]"), source="thread_title")
    assert "Fake session" in title["content"][0]["text"]
    assert api.prompts() == []


def test_requests_for_a_summary_get_one(api: FakeModelApi) -> None:
    summary_prompt = user("Do NOT call tools. An <analysis> block followed by a <summary> block.")
    assert "<summary>" in ask_claude(api, user("[fake error auth]"), ASSISTANT, summary_prompt)[0]["text"]
    assert [request.kind for request in api.requests] == ["compact"]


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize("kind", FAILURES)
def test_errors_have_both_formats(api: FakeModelApi, kind: str) -> None:
    failure = FAILURES[kind]
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask_claude(api, user(f"[fake error {kind}]"))
    with caught.value as refused:
        assert refused.code == failure.status
        assert json.loads(refused.read())["error"]["type"] == failure.anthropic
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask_codex(api, item(f"[fake error {kind}]"))
    with caught.value as refused:
        assert json.loads(refused.read())["error"]["code"] == failure.openai


def test_error_may_end_after_some_requests(api: FakeModelApi) -> None:
    ask = user("[fake error server 2 then text fine]")
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask_claude(api, ask)
        caught.value.close()
    assert ask_claude(api, ask)[0]["text"] == "fine"
    assert [request.retry for request in api.requests] == [False, True, True]
    assert len(api.prompts()) == 1
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask_claude(api, ask)
    caught.value.close()


def test_drop_ends_the_stream(api: FakeModelApi) -> None:
    with pytest.raises(AssertionError):
        ask_codex(api, item("[fake drop]"))
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask_claude(api, user("[fake drop]"), stream=False)
    assert {request.outcome for request in api.requests} == {"dropped"}


# ------------------------------------------------------------------ the test's side


def test_gate_blocks_until_it_is_opened(api: FakeModelApi) -> None:
    replies: list[str] = []
    ask = user("[fake gate blue then text through]")
    thread = threading.Thread(target=lambda: replies.append(ask_claude(api, ask)[0]["text"]))
    thread.start()
    api.wait_at_gate("blue")
    assert get(f"{api.url}/control/gates") == {"blue": {"open": False, "waiting": 1}}
    post(f"{api.url}/control/open/blue", {})
    thread.join(10)
    assert replies == ["through"]
    assert ask_codex(api, item("[fake gate blue then text again]"))[0]["content"][0]["text"] == "again"


def test_closed_connection_is_noticed(api: FakeModelApi) -> None:
    client = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    client.request("POST", "/v1/messages", json.dumps({"messages": [user("[fake hang 60]")]}))
    api.wait_for_prompt("hang")
    client.close()
    api.wait_for(lambda request: request.outcome == "gone")


def test_close_releases_waiting_requests() -> None:
    with FakeModelApi() as api:
        client = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
        client.request("POST", "/v1/messages", json.dumps({"messages": [user("[fake wait 60]")]}))
        api.wait_for_prompt("wait")
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        client.getresponse()
    client.close()


def test_the_log_keeps_prompts_exactly_and_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    prompt = "odd \\ \t“x” é́ \n\n end"
    with FakeModelApi(log=log) as api:
        ask_claude(api, user(prompt))
        assert get(f"{api.url}/control/prompts") == [prompt]
    (entry,) = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    assert (entry["agent"], entry["session"], entry["prompt"]) == ("claude", "S", prompt)
    assert "hush" not in log.read_text(encoding="utf-8")
    assert entry["headers"]["authorization"] == "(hidden)"


def test_wait_for_a_request_is_limited(api: FakeModelApi) -> None:
    with pytest.raises(TimeoutError):
        api.wait_for_prompt("nothing", timeout=0.05)
    with pytest.raises(TimeoutError):
        api.wait_at_gate("nothing", timeout=0.05)


def test_the_command_runs_another_with_the_url_set() -> None:
    show = "import os, urllib.request as u; print(u.urlopen(os.environ['FAKE_MODEL_URL'] + '/control/health').read())"
    command = [sys.executable, "-m", "tests.fakes.model_api", "--", sys.executable, "-c", show]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert '"ok": true' in ran.stdout
