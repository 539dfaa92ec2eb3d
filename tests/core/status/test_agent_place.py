"""Folders of an agent: read from its process, recorded while it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py.agents.base import Binding
from lisa_py.contract.records import SessionMeta
from lisa_py.core.status import agent_place
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import processes
from lisa_py.host.processes import Process
from lisa_py.store import session_records
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.skipif(not processes.LINUX, reason="reads /proc")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    running = subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path, env={"HOME": "/h", "SCRIPTED_HOME": "/elsewhere"})
    wait_until(lambda: processes.read_process(running.pid).name == "sleep")  # type: ignore[union-attr]
    found = processes.read_process(running.pid)
    assert found is not None
    wait_until(lambda: processes.read_environment(found))  # Linux fills it a moment after exec
    yield found
    running.kill()
    running.wait()


@pytest.mark.parametrize(
    ("bound", "run_id", "home"), [(True, "1", "/elsewhere"), (False, "1", "/h"), (True, "2", "/h")]
)
def test_home_of_a_living_agent_is_recorded(
    machine: LisaHost, process: Process, bound: bool, run_id: str, home: str
) -> None:
    """Only of the agent itself, and only in the records of its own run."""
    ctx = machine.context()
    ref = ctx.ref("lisa-x", str(machine.project))
    Path(ref.folder).mkdir(parents=True)
    meta = SessionMeta(session="lisa-x", agent="scripted", run_id="1", agent_home="/h", project_root=ref.project.root)
    session_records.write_meta(ref, meta)
    meta.run_id = run_id
    evidence = Evidence(session="lisa-x", agent="scripted", meta=meta, agent_process=process)
    evidence.binding = Binding(pid=process.pid if bound else 0)
    agent_place.remember_home(ctx, ref, evidence)
    assert session_records.read_meta(ref).agent_home == home  # type: ignore[union-attr]


def test_other_folder_is_one_outside_of_the_project(tmp_path: Path, process: Process) -> None:
    link = tmp_path.with_name("link")
    link.symlink_to(tmp_path)
    assert agent_place.find_other_folder(str(tmp_path), process) == ""
    assert agent_place.find_other_folder(str(link), process) == ""
    assert agent_place.find_other_folder("/", process) == str(tmp_path.resolve())
