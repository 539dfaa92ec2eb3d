"""Output on a terminal: tables with headings, help that fits, hints for mistyped commands."""

from __future__ import annotations

import re

import pytest

from tests.lisa_host import LisaHost

STYLE = re.compile(r"\x1b\[[0-9;]*[mK]|\r")


def spawn(machine: LisaHost, name: str, prompt: str) -> None:
    words = ("--agent", "scripted", "--session", name, "--prompt", prompt)
    assert machine.lisa("session", "spawn", *words).code == 0
    assert machine.lisa("session", "monitor", "--session", name).code == 0


def show(machine: LisaHost, *words: str, columns: int = 100) -> tuple[int, str]:
    code, shown = machine.show(*words, columns=columns)
    return code, STYLE.sub("", shown)


def test_fleet_is_a_table_on_a_terminal_only(machine: LisaHost) -> None:
    spawn(machine, "lisa-asks", "[ask touch x] [say done]")
    spawn(machine, "lisa-wide", "[ask touch 漢字漢字] [say done]")
    code, shown = show(machine, "session", "list")
    heading, asks, wide = shown.splitlines()
    assert code == 0
    assert heading.split() == ["SESSION", "AGENT", "STATE", "DOING", "FOR", "SOURCE", "DETAIL"]
    assert asks.startswith("? lisa-asks  scripted  waiting_input  asks: permission")
    assert asks.index("touch x") == heading.index("DETAIL") == wide.index("touch")
    assert machine.lisa("session", "list").out == "lisa-asks\nlisa-wide\n"
    assert machine.lisa("session", "status", "--session", "lisa-asks").out == "idle,0,0,,0,waiting_input\n"


def test_colours_depend_on_terminal_and_no_color(machine: LisaHost) -> None:
    spawn(machine, "lisa-asks", "[say done]")
    assert "\x1b[33m● lisa-asks" in machine.show("session", "list")[1]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        shown = machine.show("session", "list", env=env)[1]
        assert "SESSION" in shown and "\x1b" not in shown


def test_list_without_sessions_shows_the_first_step(machine: LisaHost) -> None:
    code, shown = show(machine, "session", "list")
    assert code == 0
    assert shown.startswith(f"no sessions in {machine.project}\nto start one: lisa session spawn --agent ")
    assert machine.lisa("session", "list").out == "\n"


def test_list_of_all_sockets_names_each_project(machine: LisaHost) -> None:
    other = machine.folder / "other"
    other.mkdir()
    for place in (machine.project, other):
        words = ("--command", "sleep 600", "--session", "lisa-same", "--project-root", str(place))
        assert machine.lisa("session", "spawn", *words).code == 0
    _, shown = show(machine, "session", "list", "--all-sockets")
    assert [line.split()[1:3] for line in shown.splitlines()[1:]] == [["lisa-same", "other"], ["lisa-same", "proj"]]


def test_status_and_monitor_are_words_on_a_terminal(machine: LisaHost) -> None:
    spawn(machine, "lisa-asks", "[ask touch x] [say done]")
    code, shown = show(machine, "session", "status", "lisa-asks")
    assert code == 0
    assert "asks: permission" in shown and "next: lisa session" in shown
    assert re.search(r"^look: tmux -S '?/\S+\.sock'? attach -t lisa-asks -r$", shown, re.MULTILINE)
    code, shown = show(machine, "session", "monitor", "asks")
    assert code == 0
    assert shown.splitlines()[-2].endswith("lisa-asks waits for an answer: permission")
    code, shown = show(machine, "session", "turn", "--session", "lisa-asks", "--answer", "yes")
    assert code == 0 and "has finished its turn" in shown and "stderrPolicy" not in shown


def test_children_are_indented_in_the_tree(machine: LisaHost) -> None:
    spawn(machine, "lisa-parent", "[run lisa session spawn --session lisa-child --command 'sleep 600'] [say done]")
    for name, parent in (("lisa-up", ""), ("lisa-down", "lisa-up")):
        words = ("session", "spawn", "--session", name, "--command", "sleep 600")
        assert machine.lisa(*words, env={"LISA_SESSION_NAME": parent} if parent else None).code == 0
    lines = show(machine, "session", "tree")[1].splitlines()
    assert lines[0].split()[:3] == ["SESSION", "AGENT", "STATE"]
    at = next(index for index, line in enumerate(lines) if "lisa-up" in line)
    assert lines[at + 1].startswith("●   lisa-down") and "in_progress" in lines[at + 1]


def test_lisa_alone_shows_the_fleet_and_short_help(machine: LisaHost) -> None:
    code, shown = show(machine)
    assert code == 0 and "SESSION" not in shown and "every day:" in shown
    spawn(machine, "lisa-one", "[say done]")
    code, shown = show(machine)
    assert code == 0
    assert shown.index("SESSION") < shown.index("lisa-one") < shown.index("every day:")


@pytest.mark.parametrize("words", [("help",), ("session", "--help"), ()])
def test_overview_fits_a_terminal_of_40_lines(machine: LisaHost, words: tuple[str, ...]) -> None:
    code, shown = show(machine, *words, columns=80)
    lines = shown.splitlines()
    assert code == 0
    assert len(lines) < 40 and max(map(len, lines)) <= 80
    assert lines.index("every day:") < 5


@pytest.mark.parametrize("words", [("demo", "--help"), ("session", "send", "--help"), ("help", "all")])
def test_help_breaks_no_word(machine: LisaHost, words: tuple[str, ...]) -> None:
    _, shown = show(machine, *words, columns=72)
    piped = machine.lisa(*words).out
    assert set(shown.split()) == set(piped.split())
    prose = [line for line in shown.splitlines() if " lisa " not in line and "|" not in line]
    assert max(map(len, prose)) <= 72


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("list", "did you mean `lisa session list`?"),
        ("spawn", "did you mean `lisa session spawn`?"),
        ("ls", "did you mean `lisa session list`?"),
        ("ps", "did you mean `lisa session list`?"),
        ("stop", "did you mean `lisa session kill`?"),
        ("rm", "did you mean `lisa session kill`?"),
        ("kill", "did you mean `lisa session kill`?"),
        ("logs", "did you mean `lisa session capture`?"),
        ("lst", "did you mean `lisa session list`?"),
        ("session stop", "did you mean `lisa session kill`?"),
        ("session rm", "did you mean `lisa session kill`?"),
        ("session ps", "did you mean `lisa session list`?"),
        ("session logs", "did you mean `lisa session capture`?"),
        ("session lst", "did you mean `lisa session list`?"),
        ("oauth lst", "did you mean `lisa oauth list`?"),
    ],
)
def test_words_of_other_programs_suggest_the_command(machine: LisaHost, words: str, hint: str) -> None:
    answer = machine.lisa(*words.split())
    assert (answer.code, hint in answer.err) == (1, True), answer.err


def test_session_name_needs_no_flag(machine: LisaHost) -> None:
    for name in ("lisa-foo", "lisa-job-bar", "lisa-job2-bar"):
        assert machine.lisa("session", "spawn", "--session", name, "--command", "sleep 600").code == 0
    assert machine.lisa("session", "status", "lisa-foo", "--json").json["session"] == "lisa-foo"
    assert machine.lisa("session", "exists", "foo", "--json").json["session"] == "lisa-foo"
    assert machine.lisa("session", "status", "job", "--json").json["session"] == "lisa-job-bar"
    several = machine.lisa("session", "status", "bar", "--json")
    assert (several.code, several.json["errorCode"]) == (1, "invalid_session_name")
    assert "lisa-job-bar, lisa-job2-bar" in several.json["error"]
    twice = machine.lisa("session", "status", "lisa-foo", "lisa-bar")
    assert (twice.code, "unexpected word: lisa-bar; --session is lisa-foo already" in twice.err) == (1, True)
    assert (
        machine.lisa("session", "checkpoint", "lisa-foo", "save", "--file", "c.json", "--json").json["session"]
        == "lisa-foo"
    )


def test_a_question_for_a_person_is_named_in_text(machine: LisaHost) -> None:
    """A scripted agent has no trust dialog: the note of the fleet is built from a recorded state."""
    from lisa_py.core.advice import person
    from lisa_py.core.advice.next_step import Situation

    ctx = machine.context()
    situation = Situation(session_state="waiting_input", waiting_for="trust")
    note = person.explain_wait(ctx, ctx.ref("lisa-x"), situation)
    for part in (
        "trusted",
        "--trust",
        "lisa session send --session 'lisa-x'",
        "--answer 'yes'",
        "lisa session terminal",
    ):
        assert part in note
    assert person.explain_wait(ctx, ctx.ref("lisa-x"), Situation(session_state="waiting_input")) == ""


@pytest.mark.parametrize("words", ["list", "tree", "kill-all", "status --session lisa-x", "exists --session lisa-x"])
def test_mistyped_project_root_is_refused(machine: LisaHost, words: str) -> None:
    answer = machine.lisa("session", *words.split(), "--project-root", str(machine.folder / "typo"), "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_project_root")


def test_project_whose_folder_is_gone_can_be_cleaned_up(machine: LisaHost) -> None:
    gone = machine.folder / "gone"
    gone.mkdir()
    words = ("--session", "lisa-x", "--project-root", str(gone))
    assert machine.lisa("session", "spawn", "--command", "sleep 600", *words).code == 0
    gone.rmdir()
    assert machine.lisa("session", "kill-all", "--project-root", str(gone)).out == "killed 1 session\n"


def test_ambiguous_session_names_its_projects_in_text(machine: LisaHost) -> None:
    for name in ("one", "two"):
        (machine.folder / name).mkdir()
        words = ("--session", "lisa-same", "--project-root", str(machine.folder / name))
        assert machine.lisa("session", "spawn", "--command", "sleep 600", *words).code == 0
    answer = machine.lisa("session", "status", "lisa-same")
    assert answer.code == 1
    assert all(str(machine.folder / name) in answer.err for name in ("one", "two"))


def test_preflight_names_what_is_missing_first(machine: LisaHost) -> None:
    answer = machine.lisa("session", "preflight", "--fast", env={"PATH": "/usr/bin:/bin"})
    assert (answer.code, answer.out.splitlines()[:2]) == (1, ["session preflight: not_ready", "missing: claude, codex"])
