"""Send texts to the real claude: each arrives once, whole, as a prompt."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from tests.agents_kit import Terminal, claude_home, pin
from tests.agents_live.claude_harness import ClaudeHarness
from tests.fakes.model_api import FakeModelApi
from tests.polling import wait_until

pytestmark = pytest.mark.agents

TEXTS = [
    "plain",
    "two\nlines\n\nand one more",
    "ends in a backslash \\",
    "!echo no shell command",
    "#note",
    "@nobody look",
    "/usr/bin is a path",
    "-p --help",
    "tabs\tand  spaces",
    "caf\u00e9 cafe\u0301 🙂 漢字",
    "quotes ' \" ` $HOME $(x) ;",
    "?",
    "line\n" * 300,
]


def stage(tmp_path: Path, api: FakeModelApi, terminal: Terminal, version: str = "", **options: object) -> ClaudeHarness:
    home = claude_home(tmp_path, tmp_path / "proj", api.url, version=version or pin("claude").version, **options)  # type: ignore[arg-type]
    return ClaudeHarness(home, terminal)


def plain(text: str) -> str:
    """Claude widens tabs, composes letters and drops a line break at the end."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.parametrize("version", ["", "2.1.197"])
def test_each_text_arrives_once_with_evidence(
    tmp_path: Path, api: FakeModelApi, terminal: Terminal, version: str
) -> None:
    on = stage(tmp_path, api, terminal, version)
    on.start()
    on.wait_until_ready()
    for turns, text in enumerate(TEXTS, 1):
        assert on.send_and_confirm(text), text
        on.wait_for_turns(turns)
        assert plain(api.prompts()[-1]) == plain(text)
    assert len(api.prompts()) == len(TEXTS)


def test_a_text_of_a_megabyte_arrives_whole(tmp_path: Path, api: FakeModelApi, terminal: Terminal) -> None:
    on = stage(tmp_path, api, terminal)
    on.start()
    on.wait_until_ready()
    text = "word " * 200_000 + "end"
    assert on.send_and_confirm(text) == "hook"
    on.wait_for_turns()
    assert api.prompts() == [text]


@pytest.mark.parametrize(
    "prompt", ["-p --help", "!echo x", 'it\'s "q" $HOME `x`\nsecond \\', "#x", "/usr/bin is a path"]
)
@pytest.mark.parametrize("mode", ["interactive", "exec"])
def test_first_prompt_arrives_unchanged(
    tmp_path: Path, api: FakeModelApi, terminal: Terminal, mode: str, prompt: str
) -> None:
    stage(tmp_path, api, terminal).start(mode, prompt=prompt, agent_args="--allowedTools Bash Edit")
    wait_until(lambda: api.prompts() == [prompt], what=f"the prompt; came {api.prompts()}\n{terminal.screen()}")


def test_long_exec_prompt_uses_standard_input(tmp_path: Path, api: FakeModelApi, terminal: Terminal) -> None:
    prompt = "word " * 60_000 + "[fake text ok]"
    on = stage(tmp_path, api, terminal)
    assert on.start("exec", prompt=prompt).stdin == prompt
    wait_until(lambda: (on.folder / "done.txt").exists())
    assert api.prompts() == [prompt]
    assert (on.folder / "done.txt").read_text().strip().endswith(":0")


def test_commands_are_accepted(tmp_path: Path, api: FakeModelApi, terminal: Terminal) -> None:
    on = stage(tmp_path, api, terminal)
    on.start()
    on.wait_until_ready()
    for command in ("/nosuchcommand x", "/compact", "/clear"):
        assert on.send_and_confirm(command) in ("hook", "transcript", "agent_file")
    assert api.prompts() == []


# -- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "2.1.197"])
def test_skipped_permissions_start_without_a_dialog(
    tmp_path: Path, api: FakeModelApi, terminal: Terminal, version: str
) -> None:
    on = stage(tmp_path, api, terminal, version)
    on.start(prompt="[fake tool touch made then text ok]", skip_permissions=True)
    on.wait_for_turns()
    assert (on.home.project / "made").exists()
    assert "PermissionRequest" not in on.hook_names()


@pytest.mark.parametrize("version", ["", "2.1.197"])
def test_requested_trust_opens_no_dialog(tmp_path: Path, api: FakeModelApi, terminal: Terminal, version: str) -> None:
    on = stage(tmp_path, api, terminal, version, trusted=False)
    on.start(prompt="[fake text ok]", trust=True)
    on.wait_for_turns()
    kept = json.loads((on.home.home / ".claude.json").read_text())
    assert kept["projects"][str(on.home.project)]["hasTrustDialogAccepted"] is True
    assert kept["hasCompletedOnboarding"] is True


def test_hooks_and_settings_of_the_user_still_work(tmp_path: Path, api: FakeModelApi, terminal: Terminal) -> None:
    on = stage(tmp_path, api, terminal)
    theirs = {
        "env": {"GREETING": "from settings"},
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": f"touch {tmp_path}/theirs"}]}]},
    }
    (tmp_path / "s.json").write_text(json.dumps(theirs))
    on.start(prompt="[fake tool echo $GREETING then text {last}]", agent_args=f"--settings {tmp_path}/s.json",
             skip_permissions=True)  # fmt: skip
    on.wait_for_turns()
    assert (tmp_path / "theirs").exists()
    wait_until(lambda: "from settings" in [frame.text for frame in on.frames(on.bind()) if frame.kind == "assistant"])


def test_main_screen_keeps_history_and_is_read(tmp_path: Path, api: FakeModelApi, terminal: Terminal) -> None:
    on = stage(tmp_path, api, terminal)
    on.start()
    on.wait_until_ready()
    assert terminal.format_value("alternate_on") == "0"
    for turn in range(1, 13):
        on.send_and_confirm(f"[fake text answer number {turn}\n\nand more]")
        on.wait_for_turns(turn)
    on.wait_for_report("screen", "idle")
    whole = terminal.tmux("capture-pane", "-p", "-J", "-S", "-")
    assert re.findall(r"● answer number (\d+)\s*$", whole, re.MULTILINE) == [str(turn) for turn in range(1, 13)]


def test_alternate_screen_is_read(tmp_path: Path, api: FakeModelApi, terminal: Terminal) -> None:
    on = stage(tmp_path, api, terminal)
    on.start(main_screen=False)
    on.wait_until_ready()
    assert terminal.format_value("alternate_on") == "1"
    on.send_and_confirm("[fake gate g then tool touch x; sleep 2 then text done]")
    on.wait_for_report("screen", "thinking")
    api.open("g")
    on.wait_for_report("screen", "waiting", "permission")
    on.answer("Enter")
    on.wait_for_report("screen", "tool")
    on.wait_for_turns()
    on.wait_for_report("screen", "idle")
