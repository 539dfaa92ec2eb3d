"""session kill-all: what it answers."""

from __future__ import annotations

from lisa_py.core.context import Context
from tests.fleet import Fleet
from tests.lisa_host import LisaHost


def foreign(ctx: Context, name: str) -> None:
    """A session on the project's server that lisa did not spawn."""
    ctx.tmux(ctx.project()).new_session(name, ["/bin/sleep", "600"], root="/", width=80, height=24)


def test_sessions_of_the_project_are_killed_others_stay(machine: LisaHost, fleet: Fleet) -> None:
    other = machine.folder / "other"
    other.mkdir()
    fleet.spawn("lisa-there", root=str(other))
    for name in ("lisa-a", "lisa-b"):
        fleet.spawn(name)
    foreign(fleet.ctx, "lisa-foreign")
    foreign(fleet.ctx, "mine")
    answer = machine.lisa("session", "kill-all", "--json")
    assert answer.code == 0
    assert answer.json == {
        "killed": 3,
        "ok": True,
        "projectOnly": False,
        "projectRoot": str(machine.project),
        "sessions": ["lisa-a", "lisa-b", "lisa-foreign"],
        "stderrPolicy": "diagnostic",
        "total": 3,
    }
    assert fleet.names() == ["mine"]
    assert [pane.session for pane in fleet.ctx.tmux(fleet.ctx.project(str(other))).list_panes()] == ["lisa-there"]


def test_project_only_keeps_sessions_without_records(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a")
    foreign(fleet.ctx, "lisa-foreign")
    answer = machine.lisa("session", "kill-all", "--project-only", "--json")
    assert (answer.json["killed"], answer.json["projectOnly"]) == (1, True)
    assert fleet.names() == ["lisa-foreign"]


def test_kill_all_without_sessions_succeeds(machine: LisaHost) -> None:
    answer = machine.lisa("session", "kill-all")
    assert (answer.code, answer.out) == (0, "killed 0 sessions\n")
    assert machine.lisa("session", "kill-all", "--json-min").json == {
        "killed": 0, "ok": True, "stderrPolicy": "diagnostic", "total": 0,
    }  # fmt: skip
    assert not (machine.folder / "state").exists()
    assert list(machine.sockets.iterdir()) == []


def test_missing_tmux_is_an_error(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a")
    answer = machine.lisa("session", "kill-all", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "tmux_missing")
    assert "meta.json" in fleet.files("lisa-a")
