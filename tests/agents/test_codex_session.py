"""Find the thread of a pane: by open files, title, hooks, folder and time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lisa_py.agents._codex.session import find_subagents, session_config_folder
from lisa_py.agents.base import Binding
from lisa_py.contract.records import SessionMeta
from lisa_py.host import processes
from tests.agents.codex_views import AGENT, NOW, view
from tests.polling import wait_until

FIRST = "01a1fc53-50ff-7f92-b0f2-18d12fee359e"
SECOND = "01a1fc53-6dfe-7053-861b-e05d94403297"


class CodexHome:
    """A codex configuration folder with threads in it, and a process that holds some of their files open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "codex"
        self.locks = self.folder / "thread-writer-locks"
        self.day = self.folder / "sessions" / "2026" / "11" / "21"
        for made in (self.locks, self.day):
            made.mkdir(parents=True)
        self.held: list[Path] = []
        self.process: subprocess.Popen[bytes] | None = None

    def lock(self, thread: str, at: float) -> None:
        path = self.locks / f"{thread}.lock"
        path.touch()
        os.utime(path, (at, at))
        self.held.append(path)

    def rollout(self, thread: str, *, cwd: str = "/p", origin: str = "codex-tui", begun: str = "T04:18:01.000Z") -> str:
        path = self.day / f"rollout-2026-11-21T04-18-01-{thread}.jsonl"
        stamp = "2026-11-21" + begun
        payload = {"session_id": thread, "id": thread, "timestamp": stamp, "cwd": cwd, "originator": origin}
        path.write_text(json.dumps({"timestamp": stamp, "type": "session_meta", "payload": payload}) + "\n")
        return str(path)

    def run(self) -> processes.Process:
        """A process called codex that holds the files."""
        opened = " ".join(f"{number}<'{path}'" for number, path in enumerate(self.held, 3))
        self.process = subprocess.Popen(["bash", "-c", f"exec -a /x/bin/codex sleep 100 {opened}"])
        pid = self.process.pid
        wait_until(lambda: (found := processes.read_process(pid)) is not None and found.argv[:1] == ("/x/bin/codex",))
        found = processes.read_process(pid)
        assert found is not None
        return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[CodexHome]:
    made = CodexHome(tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.wait()


def bind(
    home: CodexHome, *, title: str = "", mode: str = "interactive", running: bool = True, hooks: object = ()
) -> Binding:
    meta = SessionMeta(
        session="lisa-x",
        agent="codex",
        mode=mode,
        project_root="/p",
        agent_home=str(home.folder),
        created_unix=1795234681.0,  # 04:18:01
    )
    tree = (home.run(),) if running else ()
    return AGENT.bind(view(meta=meta, processes=tree, title=title, hooks=hooks, now=1795234700.0))


def test_thread_is_found_by_its_open_files(home: CodexHome) -> None:
    home.lock(FIRST, 100)
    home.held.append(Path(home.rollout(FIRST)))
    home.rollout(SECOND)
    found = bind(home)
    assert (found.session_id, found.source) == (FIRST, "open_file")
    assert found.transcript == str(home.held[1])
    assert home.process is not None
    assert found.pid == home.process.pid


def test_thread_without_a_prompt_has_no_transcript(home: CodexHome) -> None:
    home.lock(FIRST, 100)
    found = bind(home)
    assert (found.session_id, found.transcript) == (FIRST, "")


def test_after_new_the_last_lock_is_the_thread(home: CodexHome) -> None:
    home.lock(FIRST, 100)
    home.held.append(Path(home.rollout(FIRST)))
    home.lock(SECOND, 200)
    assert bind(home).session_id == SECOND


def test_title_names_the_visible_thread(home: CodexHome) -> None:
    home.lock(FIRST, 100)
    home.lock(SECOND, 200)  # opened later, as helpers' threads are
    found = bind(home, title=f"Ready | {FIRST[:29]}...")
    assert found.session_id == FIRST


def test_exec_run_keeps_its_first_thread(home: CodexHome) -> None:
    home.lock(FIRST, 100)
    home.lock(SECOND, 200)
    assert bind(home, mode="exec").session_id == FIRST


def test_title_alone_finds_the_rollout(home: CodexHome) -> None:
    path = home.rollout(SECOND)
    home.rollout(FIRST)
    found = bind(home, title=f"⠙ Working | {SECOND[:29]}...", running=False)
    assert (found.session_id, found.transcript) == (SECOND, path)


def test_hooks_name_the_thread_without_open_files(home: CodexHome) -> None:
    path = home.rollout(FIRST)
    hooks = ({"hook": "SessionStart", "at": 1.0, "session_id": FIRST, "transcript_path": path},)
    found = bind(home, running=False, hooks=hooks)
    assert (found.session_id, found.transcript, found.source) == (FIRST, path, "hook")


def test_transcript_is_found_by_folder_kind_and_time(home: CodexHome) -> None:
    home.rollout("01a1fc53-6000-7000-8000-000000000001", cwd="/other")
    home.rollout("01a1fc53-6000-7000-8000-000000000002", origin="codex_exec")
    home.rollout("01a1fc53-6000-7000-8000-000000000003", begun="T03:00:00.000Z")
    path = home.rollout(FIRST, begun="T04:18:02.000Z")
    home.rollout(SECOND, begun="T04:19:00.000Z")
    found = bind(home, running=False)
    assert (found.session_id, found.transcript, found.source) == (FIRST, path, "history")
    assert bind(home, running=False, mode="exec").session_id == "01a1fc53-6000-7000-8000-000000000002"


def test_prompt_distinguishes_simultaneous_sessions(home: CodexHome) -> None:
    for thread, prompt in ((FIRST, 'say "one"'), (SECOND, "say two")):
        path = Path(home.rollout(thread))
        item = {"type": "UserMessage", "content": [{"type": "text", "text": prompt}]}
        payload = {"type": "item_completed", "item": item}
        path.write_text(path.read_text() + json.dumps({"type": "event_msg", "payload": payload}) + "\n")
    for prompt, thread in (('say "one"', FIRST), ("say two", SECOND)):
        meta = SessionMeta(session="x", project_root="/p", agent_home=str(home.folder), created_unix=1795234681.0)
        meta.prompt = prompt
        assert AGENT.bind(view(meta=meta, processes=())).session_id == thread


def test_no_rollout_gives_no_session(home: CodexHome) -> None:
    found = bind(home, running=False)
    assert (found.session_id, found.transcript) == ("", "")


def test_configuration_folder_comes_from_the_environment() -> None:
    assert AGENT.home({"HOME": "/h"}) == "/h/.codex"
    assert AGENT.home({"HOME": "/h", "CODEX_HOME": "/c"}) == "/c"


def test_future_transcript_path_is_watched(home: CodexHome) -> None:
    seen = view(environ={"CODEX_HOME": str(home.folder), "HOME": "/nowhere"}, now=NOW)
    assert AGENT.watch_paths(seen, Binding()) == (str(home.day),)
    assert AGENT.watch_paths(seen, Binding(transcript="/x.jsonl")) == ("/x.jsonl",)
    away = view(environ={"CODEX_HOME": str(home.folder / "no" / "such")}, now=NOW)
    assert AGENT.watch_paths(away, Binding()) == (str(home.folder),)


def test_command_that_opens_a_thread_is_accepted(home: CodexHome) -> None:
    home.lock(FIRST, 100)
    found = bind(home)
    for since, how in ((1795234680.0, "agent_file"), (1795234690.0, "")):
        assert AGENT.find_acceptance("/new", since, view(), found).source == how


def test_codex_is_found_by_hooks_or_open_files(home: CodexHome) -> None:
    home.lock(FIRST, NOW)
    held = home.run()
    renamed = msgspec.structs.replace(held, name="0.171.0", argv=("/opt/versions/0.171.0",))
    other = msgspec.structs.replace(held, pid=os.getpid(), ppid=1, argv=("/opt/versions/0.171.0",))
    assert AGENT.find_process(view(processes=(other, renamed))) == renamed
    started = {"hook": "SessionStart", "at": NOW, "session_id": FIRST, "pid": other.pid}
    assert AGENT.find_process(view(processes=(other, renamed), hooks=(started,))) == other


def test_folder_is_found_by_hooks_and_environment(home: CodexHome, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = SessionMeta(session="lisa-x", agent="codex", project_root="/p", agent_home="/of/the/caller")
    started = {"hook": "SessionStart", "at": NOW, "session_id": FIRST, "transcript_path": home.rollout(FIRST)}
    assert session_config_folder(view(meta=meta, hooks=(started,), processes=())) == str(home.folder)
    monkeypatch.setenv("CODEX_HOME", str(home.folder))
    process = home.run()
    assert session_config_folder(view(meta=meta, processes=(process,))) == str(home.folder)
    assert session_config_folder(view(meta=meta, processes=())) == "/of/the/caller"


# -- subagents ----------------------------------------------------------------------------------------------------


def write_rollout(home: CodexHome, thread: str, *, root: str = "", parent: str = "", **more: str) -> str:
    """Write the first line of a rollout, with its keys in the order of 0.171."""
    own = {"session_id": root or thread, "id": thread} | ({"parent_thread_id": parent} if parent else {}) | more
    head = {"timestamp": "2026-11-21T20:00:00Z", "ordinal": 0, "type": "session_meta", "payload": own}
    path = home.day / f"rollout-2026-11-21T20-00-00-{thread}.jsonl"
    path.write_text(json.dumps(head, separators=(",", ":")) + "\n")
    return str(path)


def test_subagents_are_found_by_their_root_thread(home: CodexHome) -> None:
    root, child, grandchild, other = (f"01a1fc53-6dfe-7053-861b-e05d9440329{number}" for number in range(1, 5))
    transcript = write_rollout(home, root)
    assert find_subagents(transcript) == ()
    unfinished = home.day / f"rollout-2026-11-21T20-00-00-{child}.jsonl"
    unfinished.touch()
    assert find_subagents(transcript) == ()
    found = [
        write_rollout(home, child, root=root, parent=root),
        write_rollout(home, grandchild, root=root, parent=child),
    ]
    write_rollout(home, other, root=other, forked_from_id=root)
    write_rollout(home, other[:-1] + "6", root=other, parent=other)
    write_rollout(home, FIRST, root=root, parent=root)  # older than the root thread
    assert find_subagents(transcript) == tuple(found)
    assert find_subagents("") == find_subagents(str(home.day / "notes.jsonl")) == ()
