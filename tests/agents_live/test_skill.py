"""The real claude and codex find the installed skill."""

from __future__ import annotations

import subprocess

import pytest

from lisa_py.core.skill import installer, page
from tests.agents_kit import claude_home, codex_home
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.agents

HOMES = {"claude": (claude_home, ["-p"]), "codex": (codex_home, ["exec", "--skip-git-repo-check"])}


@pytest.mark.parametrize("agent", HOMES)
def test_skill_description_reaches_the_model(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    make, words = HOMES[agent]
    home = make(machine.folder, machine.project, api.url)
    machine.env |= home.env
    assert machine.lisa("skills", "install", "--to", agent).code == 0
    subprocess.run(
        home.argv(*words, "hello"), cwd=home.project, env=home.env, stdin=subprocess.DEVNULL, timeout=60, check=True
    )
    found = page.read_manifest(installer.bundled_path())
    assert found is not None
    bodies = "".join(str(request.body) for request in api.requests)
    assert found.description[:60] in bodies
