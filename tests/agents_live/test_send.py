"""session send to the real claude and codex: each text arrives once, whole and submitted, with evidence."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import unicodedata
from pathlib import Path

import pytest

from lisa_py.terminal import invisible
from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""
GONE = re.compile(r"</?pasted_content[^>]*>|<system-reminder>.*?</system-reminder>", re.DOTALL)


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


def plain(text: str) -> str:
    """Return the comparable part of a prompt: agents wrap long pastes and may store another Unicode form."""
    return invisible.strip_invisible(unicodedata.normalize("NFC", GONE.sub("", text))).strip()


def came(stage: LiveSessionHarness, text: str) -> bool:
    return any(plain(text) in plain(prompt) for prompt in stage.model_prompts())


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-",
        "--help me",
        "first line\nsecond line\n\nlast line",
        "ünïcödé 漢字 👩‍💻",
        "quotes ' \" ` $HOME $(id) ; #{pane_id} ;",
        "it ends in a backslash \\",
    ],
    ids=["one byte", "a dash", "leading dashes", "lines", "unicode", "quotes", "backslash"],
)
def test_text_arrives_unchanged(stage: LiveSessionHarness, text: str) -> None:
    answer = stage.begin().send(text)
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    wait_until(lambda: came(stage, text), what=f"{stage.model_prompts()}")
    stage.wait_until_idle()


def test_text_with_removed_characters_arrives_once(stage: LiveSessionHarness) -> None:
    """claude removes invisible characters; where the removal could mislead, it needs another Enter."""
    texts = ["\u202eto the left \u200bzero width", "\u061cmark vs\ufe0f16", "the next one"]
    stage.begin()
    for number, text in enumerate(texts, 1):
        answer = stage.send(text)
        assert (answer.code, answer.json["delivered"]) == (0, True), answer
        stage.wait_until_idle()
        assert len(stage.model_prompts()) == number, stage.model_prompts()
    assert [plain(prompt) for prompt in stage.model_prompts()] == [plain(text) for text in texts]


@pytest.mark.parametrize("size", [13_000, 116_000, 1_000_000])
def test_a_large_text_arrives_whole(stage: LiveSessionHarness, size: int) -> None:
    text = "".join(f"line {number} of a long text\n" for number in range(size // 24))[:size] + "end of it"
    answer = stage.begin().lisa("send", "--text-file", str(stage.write_file("long", text)), "--enter", timeout=120)
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    wait_until(lambda: came(stage, text), timeout=60, what="the whole text")
    assert sum("end of it" in prompt for prompt in stage.model_prompts()) == 1


def test_draft_of_a_person_is_not_submitted(stage: LiveSessionHarness) -> None:
    stage.begin().lisa("send", "--keys", "draft")
    wait_until(lambda: "draft" in stage.screen(), what="the draft is in the box")
    refused = stage.send("hello")
    assert (refused.json["errorCode"], refused.json["draft"]) == ("input_not_empty", "draft"), refused
    answer = stage.send("hello", "--replace-draft")
    assert (answer.json["delivered"], answer.json["replacedDraft"]) == (True, "draft"), answer
    stage.wait_until_idle()
    assert [plain(prompt) for prompt in stage.model_prompts()] == ["hello"]


def test_draft_with_blank_lines_is_returned_whole(stage: LiveSessionHarness) -> None:
    """The first row is blank, and the cursor is not at the end."""
    stage.begin().lisa("send", "--keys", "C-j C-j one C-j C-j two C-j three Up Up")
    wait_until(lambda: "three" in stage.screen(), what="the draft is in the box")
    refused = stage.send("hello")
    assert refused.json["errorCode"] == "input_not_empty", refused
    answer = stage.send("hello", "--replace-draft")
    assert (answer.json["delivered"], answer.json["replacedDraft"]) == (True, "one\n\ntwo\nthree"), answer
    stage.wait_until_idle()
    assert [plain(prompt) for prompt in stage.model_prompts()] == ["hello"]


def test_draft_taller_than_the_pane_is_refused_as_draft(stage: LiveSessionHarness) -> None:
    stage.begin().lisa("send", "--keys", " ".join(f"row{number} C-j" for number in range(80)))
    wait_until(lambda: "row79" in stage.screen(), what="the draft is in the box")
    for flags in ([], ["--replace-draft"]):
        refused = stage.send("hello", *flags)
        assert refused.json["errorCode"] == "input_not_empty" and "row79" in refused.json["draft"], refused
    assert not stage.model_prompts()


def enter_tmux_mode(stage: LiveSessionHarness, mode: str) -> None:
    tmux = stage.ctx.server(stage.ref)
    pane = tmux.find_pane(stage.name)
    assert pane is not None
    assert tmux.call(mode, "-t", pane.pane_id).code == 0


def test_tmux_modes_are_left_before_texts_keys_and_answers(stage: LiveSessionHarness) -> None:
    stage.begin()
    sent = []
    for mode in ("clock-mode", "choose-tree", "customize-mode", "copy-mode"):
        enter_tmux_mode(stage, mode)
        answer = stage.send(f"in {mode}")
        assert (answer.code, answer.json["delivered"]) == (0, True), answer
        stage.wait_until_idle()
        sent.append(f"in {mode}")
    assert [plain(prompt) for prompt in stage.model_prompts()] == sent
    stage.send(f"[fake {'tool' if stage.agent_name == 'claude' else 'ask'} touch made then text all done]")
    stage.wait_for_status(lambda status: status.waiting_for == "permission")
    enter_tmux_mode(stage, "clock-mode")
    answer = stage.lisa("send", "--answer", "yes")
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    wait_until(lambda: (stage.machine.project / "made").exists())
    stage.wait_until_idle()
    enter_tmux_mode(stage, "choose-tree")
    assert stage.lisa("send", "--keys", "d r a f t").json["ok"] is True
    wait_until(lambda: "draft" in stage.screen(), what="the keys reached the agent")


def test_shell_mode_accepts_no_prompt(stage: LiveSessionHarness) -> None:
    stage.begin().lisa("send", "--keys", "!")
    stage.wait_for_status(lambda status: status.state_detail == "the screen shows the shell mode")
    refused = stage.send("touch ran")
    assert (refused.json["errorCode"], refused.json["mode"]) == ("input_not_visible", "the shell mode"), refused
    assert not (stage.machine.project / "ran").exists() and not stage.model_prompts()


def test_interrupted_prompt_is_not_joined_to_the_next(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake wait 30 then text A1]")
    stage.lisa("send", "--keys", "C-c" if stage.agent_name == "claude" else "Escape")
    answer = stage.send("hello")
    assert answer.json["delivered"] is True, answer
    stage.wait_until_idle()
    assert plain(stage.model_prompts()[-1]) == "hello", stage.model_prompts()


def test_text_is_accepted_while_busy(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake gate go then text first answer]")
    stage.wait_for_status(lambda status: status.session_state == "in_progress")
    answer = stage.send("[fake text second answer]")
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    stage.api.open("go")
    wait_until(lambda: came(stage, "second answer"))
    stage.wait_for_text("second answer")
    assert sum("second answer" in prompt for prompt in stage.model_prompts()) == 1


def test_after_an_interrupt_only_new_text_is_sent(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake gate never then text lost]")
    stage.wait_for_status(lambda status: status.session_state == "in_progress")
    stage.lisa("send", "--keys", "Escape")
    stage.wait_for_status(lambda status: status.session_state == "waiting_input")
    answer = stage.send("[fake text after the interrupt]")
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    stage.wait_for_text("after the interrupt")
    wait_until(
        lambda: stage.transcript_prompts()[-1:] == ["[fake text after the interrupt]"],
        what=f"{stage.transcript_prompts()}",
    )


def test_unsubmitted_text_of_a_killed_sender_is_dropped(stage: LiveSessionHarness) -> None:
    stage.begin()
    real, once = shutil.which("tmux"), stage.machine.folder / "once"
    strike = f"mkdir {once} 2>/dev/null && {{ kill -9 $PPID; exit; }}"
    stage.machine.add_program("tmux", f'#!/bin/sh\ncase "$*" in *Enter*) {strike};; esac\nexec {real} "$@"\n')
    text = "left behind\nin several lines\nby a killed sender"
    killed = stage.machine.start("session", "send", "--session", stage.name, "--text", text, "--enter")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (stage.machine.bin / "tmux").unlink()
    answer = stage.send("[fake text only this]")
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    stage.wait_for_text("only this")
    wait_until(lambda: stage.transcript_prompts(), what="the transcript")
    assert [plain(prompt) for prompt in stage.transcript_prompts()] == ["[fake text only this]"]


def test_twenty_senders_do_not_interleave(stage: LiveSessionHarness) -> None:
    stage.begin()
    texts = [f"sender {number:02} says " + f"{number:02} " * 60 + f"end {number:02}" for number in range(20)]
    running = [
        stage.machine.start("session", "send", "--session", stage.name, "--text", text, "--enter", "--json")
        for text in texts
    ]
    answers = [json.loads(process.communicate(timeout=180)[0]) for process in running]
    assert [answer.get("delivered") for answer in answers] == [True] * 20, answers
    wait_until(lambda: len(stage.transcript_prompts()) >= 20, timeout=90, what="all twenty")
    assert sorted(plain(text) for text in stage.transcript_prompts()) == sorted(plain(text) for text in texts)


def test_a_slash_command_is_a_command(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake text hello]")
    stage.wait_for_text("hello")
    stage.wait_until_idle()
    before = stage.status().agent_session_id
    answer = stage.send("/clear" if stage.agent_name == "claude" else "/new")
    assert answer.code == 0, answer
    stage.wait_for_status(lambda status: status.agent_session_id != before)


def test_permission_dialog_refuses_text_and_accepts_answers(stage: LiveSessionHarness) -> None:
    kind = "tool" if stage.agent_name == "claude" else "ask"
    stage.begin().send(f"[fake {kind} touch made-by-send then text all done]")
    stage.wait_for_status(lambda status: status.waiting_for == "permission")
    refused = stage.send("please go on")
    assert (refused.code, refused.json["errorCode"]) == (1, "agent_waiting_dialog")
    assert refused.json["choices"][0]["text"].startswith("Yes")
    answer = stage.lisa("send", "--answer", "yes")
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    wait_until(lambda: (stage.machine.project / "made-by-send").exists())
    stage.wait_for_text("all done")


@pytest.mark.parametrize("word", ["no", "always"])
def test_permission_can_be_refused_or_always_granted(stage: LiveSessionHarness, word: str) -> None:
    kind = "tool" if stage.agent_name == "claude" else "ask"
    stage.begin().send(f"[fake {kind} touch made-by-send then text all done]")
    stage.wait_for_status(lambda status: status.waiting_for == "permission")
    answer = stage.lisa("send", "--answer", word)
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    stage.wait_for_status(lambda status: status.session_state == "waiting_input" and status.waiting_for != "permission")
    assert (stage.machine.project / "made-by-send").exists() is (word == "always")


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_question_is_answered_by_its_number(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, todos=True)
    stage.begin().send("[fake question Which colour? | red | blue then text it was: {last}]")
    stage.wait_for_status(lambda status: status.waiting_for == "question")
    answer = stage.lisa("send", "--answer", "2")
    assert (answer.code, answer.json["answered"]["text"][:4]) == (0, "blue"), answer
    stage.wait_until_idle()
    assert "blue" in stage.wait_for_text("it was")


@pytest.fixture(params=[pin for pin in pins(older=True) if pin.agent == "claude"], ids=lambda pin: f"{pin.version}")
def claude(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, "claude", version=request.param.version)


def test_multiple_choice_question_is_answered(claude: LiveSessionHarness) -> None:
    claude.begin().send("[fake questions Which fruits? | Apple | Pear | Fig then text it was: {last}]")
    claude.wait_for_status(lambda status: status.waiting_for == "question")
    refused = claude.lisa("send", "--answer", "2,9")
    assert refused.json["errorCode"] == "answer_not_offered"
    answer = claude.lisa("send", "--answer", "2,3")
    assert (answer.code, answer.json["delivered"]) == (0, True), answer
    assert answer.json["answered"]["ticked"] == [2, 3]
    assert "open" not in answer.json["answered"]
    claude.wait_for_text("Pear, Fig")


def write_prompt_hook(machine: LisaHost) -> str:
    """Write a hook program that rejects some prompts after a moment."""
    path = machine.folder / "policy.sh"
    path.write_text("#!/bin/sh\ncase $(cat) in *FORBIDDEN*) sleep 1; echo 'not today' >&2; exit 2;; esac\n")
    path.chmod(0o755)
    return str(path)


CODEX_HOOK = """
[[hooks.UserPromptSubmit]]
[[hooks.UserPromptSubmit.hooks]]
type = "command"
command = "{}"
"""


def test_codex_prompt_blocked_by_a_hook_is_not_delivered(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "codex")
    config = Path(stage.agent_home.env["CODEX_HOME"]) / "config.toml"
    config.write_text(config.read_text() + CODEX_HOOK.format(write_prompt_hook(machine)))
    refused = stage.begin("", "--agent-args", "--dangerously-bypass-hook-trust").send("this is FORBIDDEN")
    assert (refused.code, refused.json["errorCode"]) == (1, "prompt_blocked_by_hook"), refused
    assert (refused.json["delivered"], refused.json["error"]) == (False, "not today")
    status = stage.status()
    assert (status.classification_reason, status.signals.transcript_turn_complete) == ("prompt_not_taken", False)
    assert stage.send("[fake text allowed]").json["delivered"] is True
    stage.wait_for_text("allowed")


@pytest.mark.parametrize("version", [pin.version for pin in pins(older=True) if pin.agent == "claude"])
def test_prompt_blocked_by_a_hook_is_not_delivered(machine: LisaHost, api: FakeModelApi, version: str) -> None:
    hook = {"type": "command", "command": write_prompt_hook(machine)}
    settings = {"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}}
    stage = LiveSessionHarness(machine, api, "claude", version=version, settings=settings)
    refused = stage.begin().send("this is FORBIDDEN")
    assert (refused.code, refused.json["errorCode"]) == (1, "prompt_blocked_by_hook"), refused
    assert (refused.json["delivered"], refused.json["error"]) == (False, "not today")
    status = stage.status()
    assert (status.classification_reason, status.signals.transcript_turn_complete) == ("prompt_not_taken", False)
    assert not came(stage, "this is FORBIDDEN")
    assert stage.send("[fake text allowed]").json["delivered"] is True
    stage.wait_for_text("allowed")


def test_unknown_command_is_refused_and_removed(stage: LiveSessionHarness) -> None:
    refused = stage.begin().send("/reviw the last commit")
    assert (refused.code, refused.json["errorCode"]) == (1, "command_unknown"), refused
    assert "/reviw" in refused.json["error"]
    for text in ("/tmp/x is a path", "/1 is no command", "/ neither", "next"):
        assert stage.send(text).json["delivered"] is True
        wait_until(lambda text=text: came(stage, text))
        stage.wait_until_idle()
    assert not came(stage, "/reviw")


def test_image_path_is_sent_once(claude: LiveSessionHarness) -> None:
    path = claude.machine.project / "dot.png"
    path.write_bytes(base64.b64decode(PIXEL))
    answer = claude.begin().send(str(path))
    assert (answer.json["delivered"], answer.json["altered"]) == (True, {"image": 1}), answer
    assert "helped" not in answer.json
    wait_until(lambda: claude.transcript_prompts() == ["[Image #1]"], what=lambda: str(claude.transcript_prompts()))


def test_tabs_that_become_spaces_are_counted(stage: LiveSessionHarness) -> None:
    answer = stage.begin().send("a\tb\tc")
    assert answer.json["delivered"] is True
    assert answer.json.get("altered") == ({"tab": 2} if stage.agent_name == "claude" else None)


@pytest.mark.parametrize("text", ["quit", ":q", "/exit"])
def test_text_that_ends_claude_is_reported(claude: LiveSessionHarness, text: str) -> None:
    answer = claude.begin().send(text)
    assert (answer.json["delivered"], answer.json["sessionState"]) == (True, "completed"), answer


def test_ended_claude_gets_no_input(stage: LiveSessionHarness) -> None:
    left = stage.begin().send("/exit" if stage.agent_name == "claude" else "/quit")
    assert (left.json["delivered"], left.json["sessionState"]) == (True, "completed"), left
    stage.wait_until_ended()
    answer = stage.send("touch f")
    assert (answer.code, answer.json["errorCode"]) == (1, "agent_not_running")
    assert not (stage.machine.project / "f").exists()
