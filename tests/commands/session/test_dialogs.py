"""session dialogs: the open dialogs of all sessions."""

from __future__ import annotations

from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost


def test_dialogs_of_all_sessions_oldest_first(machine: LisaHost) -> None:
    first, second, idle = (DialogStage(machine, f"lisa-{name}") for name in ("b", "a", "idle"))
    for stage in (first, second, idle):
        stage.spawn(ready=False)
    for stage in (first, second, idle):
        stage.wait_for_state("idle")
    assert machine.lisa("session", "dialogs").out == "no open dialogs\n"
    first.ask("[ask echo 'one']")
    second.ask("[question Which? | red | blue]", "question")
    answer = machine.lisa("session", "dialogs", "--json").json
    assert [(each["session"], each["kind"], each["message"]) for each in answer["dialogs"]] == [
        ("lisa-b", "permission", "shell: echo 'one'"),
        ("lisa-a", "question", "Which?"),
    ]
    text = machine.lisa("session", "dialogs").out
    assert "  Which? 1. red, 2. blue\n" in text
    assert f"lisa session approve --session 'lisa-b' --project-root '{machine.project}' --id" in text
    assert [each["session"] for each in second.list_open()] == ["lisa-a"]
    second.lisa("kill")
    first.lisa("kill")
    assert idle.list_open() == []
