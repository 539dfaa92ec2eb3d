"""Input to the real codex: every text once, whole, submitted; exec runs; long prompts; probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents_kit import Terminal, codex_home, pin
from tests.agents_live.codex_harness import AGENT, CodexHarness, probe_facts
from tests.fakes.model_api import FakeModelApi
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture(scope="module")
def api() -> Iterator[FakeModelApi]:
    with FakeModelApi() as running:
        yield running


Make = Callable[..., CodexHarness]


@pytest.fixture
def make(api: FakeModelApi, tmp_path: Path) -> Iterator[Make]:
    with Terminal() as terminal:

        def made(**options: Any) -> CodexHarness:
            home = codex_home(tmp_path, tmp_path / "proj", api.url, **options)
            return CodexHarness(home, terminal)

        yield made


@pytest.fixture(scope="module")
def talking(api: FakeModelApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodexHarness]:
    """One codex for all texts: each also shows that nothing of the previous one remains."""
    root = tmp_path_factory.mktemp("talking")
    with Terminal() as terminal:
        stage = CodexHarness(codex_home(root, root / "proj", api.url), terminal)
        (stage.home.project / "foo.txt").write_text("x")
        stage.start()
        stage.wait_until_ready()
        yield stage


TEXTS = {
    "one byte": "y",
    "many lines": "one\ntwo\n\nfour",
    "unicode": "ünï 日本 👩‍👩‍👧 e\u0301",
    "tab": "a\tb",
    "quotes": 'it\'s "so" $HOME `x` $(x) \\',
    "dashes": "--help -x",
    "a path in front": "/home/x is broken, fix it",
    "a file at the end": "look at @foo",
    "an at sign at the end": "what about @",
    "a dollar at the end": "cost is $",
    "a skill at the end": "two\nlines and $sk",
    "a skill in a line of its own": "two\n$im",
    "nothing but an at sign": "@",
    "nothing but a file": "@foo",
    "nothing but a dollar": "$",
    "a number in front": "1. first",
    "a question mark": "? what",
    "a bang in front": "!touch ran-by-a-shell",
    "13 kB of lines": "".join(f"{n:04} {'x' * 60}\n" for n in range(200)),
    "12 kB in one line": "z" * 12_000,
    "200 kB": "".join(f"{n:06} {'w' * 90}\n" for n in range(2000)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_accepted_once_and_whole(talking: CodexHarness, name: str) -> None:
    text = TEXTS[name]
    before = len(talking.texts("user"))
    talking.send(text)
    assert talking.wait_for_acceptance(text)
    talking.wait_for_state("idle", "prompt")
    wait_until(lambda: len(talking.texts("user")) > before)
    assert talking.texts("user")[before:] == [text.strip()]
    assert not (talking.home.project / "ran-by-a-shell").exists()


def test_remains_of_unknown_command_are_not_sent(talking: CodexHarness) -> None:
    talking.send("/nonsense")
    wait_until(lambda: "Unrecognized command" in talking.terminal.screen())
    talking.send_and_confirm("after nonsense")
    talking.wait_for_state("idle", "prompt")
    assert talking.texts("user")[-1] == "after nonsense"


def test_multi_line_draft_is_not_joined_to_the_next_text(talking: CodexHarness) -> None:
    talking.terminal.tmux("load-buffer", "-", text="a draft\nof several\nlines")
    talking.terminal.tmux("paste-buffer", "-p", "-d")
    wait_until(lambda: "of several" in talking.terminal.screen())
    talking.send_and_confirm("after the draft")
    talking.wait_for_state("idle", "prompt")
    assert talking.texts("user")[-1] == "after the draft"


def test_text_of_another_thread_is_not_accepted(talking: CodexHarness) -> None:
    talking.send_and_confirm("the same words")
    talking.wait_for_state("idle", "prompt")
    view = talking.view(screen=True)
    later = talking.sent_at + 5
    assert AGENT.find_acceptance("the same words", later, view, AGENT.bind(view)).source == ""


@pytest.mark.parametrize("prompt", ["hello", "--help me", "resume", "two\nlines it's $HOME", "ends in \\", "!touch x"])
def test_a_prompt_in_the_command_line_is_the_first_prompt(make: Make, prompt: str) -> None:
    stage = make()
    stage.start(prompt=prompt)
    assert stage.wait_for_acceptance(prompt)
    stage.wait_for_state("idle", "prompt")
    assert [text.lstrip() for text in stage.texts("user")] == [prompt]  # a space may stand before a bang
    assert not (stage.home.project / "x").exists()


def test_prompt_too_long_for_the_command_line_is_sent_later(make: Make) -> None:
    stage = make()
    prompt = "x" * 120_000
    assert stage.start(prompt=prompt).send_prompt
    stage.wait_until_ready()
    stage.send_and_confirm(prompt)
    stage.wait_for_state("idle", "prompt")
    assert stage.texts("user") == [prompt]


@pytest.mark.parametrize(
    "prompt", ["[fake text hello]", "--help [fake text hello]", "[fake text hello]\n" + "x" * 150_000]
)
def test_a_run_answers_and_ends(make: Make, prompt: str) -> None:
    stage = make()
    stage.start("exec", prompt)
    assert stage.wait_for_exit_code() == 0
    found = stage.bind()
    assert found.source == "hook"  # no process has it open any more
    assert stage.texts("assistant") == ["hello"]
    assert stage.texts("user") == [prompt]


def test_exec_run_reports_its_steps(make: Make, api: FakeModelApi) -> None:
    stage = make()
    stage.start("exec", "[fake gate run then tool until [ -e go ]; do sleep 0.05; done then text over]")
    stage.wait_for_state("thinking", source="transcript")
    assert stage.bind().source == "open_file"
    api.open("run")
    stage.wait_for_state("tool", source="transcript")
    (stage.home.project / "go").touch()
    assert stage.wait_for_exit_code() == 0


def test_exec_run_writes_only_to_its_folder(make: Make) -> None:
    stage = make()
    outside = Path("/var/tmp") / f"lisa-outside-{stage.run_id}"
    stage.start("exec", f"[fake tool touch inside; touch {outside} then text over]")
    assert stage.wait_for_exit_code() == 0
    assert (stage.home.project / "inside").exists()
    assert not outside.exists()


def test_failed_exec_run_has_its_reason(make: Make) -> None:
    stage = make()
    stage.start("exec", "[fake error auth]")
    assert stage.wait_for_exit_code() == 1
    ends = [frame for frame in stage.view().frames if frame.kind == "turn_end"]
    assert [(end.reason, end.error) for end in ends] == [("failed", "auth")]


def test_exec_run_has_no_approvals(make: Make) -> None:
    stage = make()
    stage.start("exec", "[fake ask touch made then text {last}]")
    assert stage.wait_for_exit_code() == 0
    assert not (stage.home.project / "made").exists()
    shown = [line for line in stage.terminal.screen().splitlines() if line.startswith("hook:")]
    assert all(AGENT.is_noise(line) for line in shown)


def test_a_run_is_resumed_by_the_users_arguments(make: Make) -> None:
    stage = make()
    stage.start("exec", "[fake text first]")
    assert stage.wait_for_exit_code() == 0
    with Terminal() as other:
        again = CodexHarness(stage.home, other)
        again.start("exec", "[fake text second]", agent_args="resume --last")
        assert again.wait_for_exit_code() == 0
    (rollout,) = (stage.home.home / ".codex" / "sessions").rglob("*.jsonl")
    assert rollout.read_text().count("task_complete") == 2


def test_a_conversation_is_resumed_in_a_new_pane(make: Make) -> None:
    stage = make()
    stage.start(prompt="[fake text first]")
    assert stage.wait_for_acceptance("[fake text first]")
    stage.wait_for_state("idle", "prompt")
    thread = stage.bind()
    stage.send("/quit")
    assert stage.wait_for_exit_code() == 0
    with Terminal() as other:
        again = CodexHarness(stage.home, other)
        again.start(agent_args=f"resume {thread.session_id}")
        again.wait_until_ready()
        wait_until(lambda: again.bind().session_id == thread.session_id)
        again.send_and_confirm("[fake text second]")
        again.wait_for_state("idle", "prompt")
        assert again.bind().transcript == thread.transcript
        assert again.texts("assistant") == ["first", "second"]


def test_the_pane_keeps_history_on_the_main_screen(make: Make) -> None:
    stage = make()
    prompt = f"[fake text {' '.join(f'line{n}' for n in range(2000))}]"
    stage.start(prompt=prompt)
    assert stage.wait_for_acceptance(prompt)
    stage.wait_for_state("idle", "prompt")
    assert stage.terminal.format_value("alternate_on") == "0"
    wait_until(lambda: int(stage.terminal.format_value("history_size")) > 50)


def test_the_probe_of_the_installed_version(make: Make) -> None:
    found = probe_facts(make().home)
    assert found.version == pin("codex").version
    assert {"--no-daemon", "--no-alt-screen", "exec --skip-git-repo-check", "exec --sandbox"} <= found.flags
    assert "exec --full-auto" not in found.flags
    assert {flag for flag in found.flags if flag.startswith("hook ")} == {
        f"hook {event}"
        for event in (
            "SessionStart",
            "UserPromptSubmit",
            "PreToolUse",
            "PermissionRequest",
            "PostToolUse",
            "Stop",
            "SessionEnd",
        )
    }
