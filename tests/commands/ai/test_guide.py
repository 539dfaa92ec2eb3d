"""Every flag of the guide of the LimaCharlie client is a flag of the same command of `lisa ai`."""

from __future__ import annotations

import pytest

from lisa_py import commands

LIST = "--status --limit --cursor"
SETTINGS = (
    "--name --model --max-turns --max-budget-usd --task-budget-tokens --permission-mode --allowed-tools --denied-tools"
    " --plugin --idempotent-key"
)
GUIDE = {
    "session list": LIST,
    "session get": "--id --full-prompt",
    "session history": "--id --raw",
    "session terminate": "--id",
    "session attach": "--id --interactive -i --read-only --no-history --raw --verbose -v",
    "chats list": LIST,
    "chats get": "--id --full-prompt",
    "chats history": "--id --raw",
    "chats terminate": "--id",
    "chat": f"{SETTINGS} --verbose -v",
    "start-session": f"{SETTINGS} --definition --prompt --data --ttl-seconds --one-shot --no-one-shot --env"
    " --anthropic-key --lc-api-key --lc-uid",
    "auth claude status": "",
    "auth claude login": "",
    "auth claude set-key": "--key --key-from-stdin",
    "auth claude logout": "",
}


@pytest.mark.parametrize("command", GUIDE)
def test_command_has_the_flags_of_the_guide(command: str) -> None:
    loaded = commands.load(("ai", *command.split()))
    assert loaded is not None
    declared = {spelling for field in loaded.fields for spelling in field.spellings()}
    assert set(GUIDE[command].split()) <= declared
