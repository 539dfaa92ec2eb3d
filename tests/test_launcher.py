"""The launcher script (its installation needs a package index and is tested by hand)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomlkit

from tests.lisa_host import LisaHost

TREE = Path(__file__).parents[1]


@pytest.fixture
def tree(machine: LisaHost) -> Path:
    """Create a tree with a ready .venv that uses the packages of the tests."""
    made = machine.folder / "a tree"
    made.mkdir()
    for name in ("lisa", "pyproject.toml"):
        shutil.copy2(TREE / name, made / name)
    (made / "lisa_py").symlink_to(TREE / "lisa_py")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (made / ".venv" / "bin").mkdir(parents=True)
    (made / ".venv" / "lib" / version).mkdir(parents=True)
    (made / ".venv" / "bin" / "python").symlink_to(sys.executable)
    packages = next(Path(path) for path in sys.path if (Path(path) / "msgspec").is_dir())
    (made / ".venv" / "lib" / version / "site-packages").symlink_to(packages)
    (made / ".venv" / "lisa-ready").touch()
    return made


def run(machine: LisaHost, *argv: str | Path, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd or machine.project, env={**machine.env, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_launcher_works_from_any_folder_and_symlink(tree: Path, machine: LisaHost) -> None:
    (machine.bin / "l1").symlink_to(tree / "lisa")
    (machine.bin / "l2").symlink_to("l1")
    calls = [(tree / "lisa", None), (machine.bin / "l2", None), ("l2", None), ("./lisa", tree), ("../bin/l2", tree)]
    for program, cwd in calls:
        ended = run(machine, program, "version", cwd=machine.project if program == "../bin/l2" else cwd)
        assert (ended.returncode, ended.stderr, ended.stdout[:5]) == (0, "", "lisa ")
    assert run(machine, "sh", "lisa", "version", cwd=tree).returncode == 0


def test_arguments_and_exit_code_pass_unchanged(tree: Path, machine: LisaHost) -> None:
    ended = run(machine, tree / "lisa", "agent", "build-cmd", "--prompt", "a  'b'\n$c *")
    assert ended.stdout == "claude --dangerously-skip-permissions $'a  \\'b\\'\\n$c *'\n"
    assert run(machine, tree / "lisa", "session", "exists", "--session", "lisa-x").returncode == 1


def test_modules_of_the_current_folder_are_ignored(tree: Path, machine: LisaHost) -> None:
    for name in ("lisa_py", "msgspec", "sitecustomize"):
        (machine.project / f"{name}.py").write_text("raise SystemExit(9)\n")
    assert run(machine, tree / "lisa", "version", PYTHONPATH=str(machine.project)).returncode == 0


def test_missing_python_is_explained(tree: Path, machine: LisaHost) -> None:
    (tree / ".venv" / "lisa-ready").unlink()
    (tree / ".venv" / "bin" / "python").unlink()
    for name in ("sh", "readlink", "ln", "rm", "mv", "sleep", "tail", "touch"):
        (machine.bin / name).symlink_to(shutil.which(name) or "/nowhere")
    machine.add_program("python3", "#!/bin/sh\nexit 1\n")
    ended = run(machine, tree / "lisa", "version", PATH=str(machine.bin))
    assert (ended.returncode, ended.stdout) == (1, "") and "needs Python 3.11" in ended.stderr
    assert not os.path.lexists(tree / ".venv.lock")


def test_only_serve_installs_what_the_server_needs(tree: Path, machine: LisaHost) -> None:
    ready, stamp = tree / ".venv" / "lisa-ready", tree / ".venv" / "lisa-server-ready"
    project = "[project]\ndependencies = []\noptional-dependencies.server = [{}]\n"
    (tree / "pyproject.toml").write_text(project.format('"lisa-no-such-package==1"'))
    os.utime(tree / "pyproject.toml", (1, 1))
    plain = run(machine, tree / "lisa", "version")
    assert (plain.returncode, plain.stderr) == (0, "")
    failed = run(machine, tree / "lisa", "serve", "--check", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert failed.returncode == 1 and "lisa-no-such-package" in failed.stderr and not stamp.exists()
    (tree / "pyproject.toml").write_text(project.format(""))
    for is_first in (True, False):
        ended = run(machine, tree / "lisa", "serve", "--check")
        assert ("installing what lisa serve needs" in ended.stderr) is is_first
        assert (ended.returncode, "no server is running" in ended.stdout + ended.stderr) == (1, True)
    assert stamp.exists() and ready.exists() and not os.path.lexists(tree / ".venv.lock")


def test_spawn_with_tools_installs_what_they_need(tree: Path, machine: LisaHost) -> None:
    project = '[project]\ndependencies = []\noptional-dependencies.mcp = ["lisa-no-such-package==1"]\n'
    (tree / "pyproject.toml").write_text(project)
    os.utime(tree / "pyproject.toml", (1, 1))
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    for words in (("spawn", "--dry-run"), ("list", "--tools")):
        assert "lisa-no-such-package" not in run(machine, tree / "lisa", "session", *words, **offline).stderr
    failed = run(machine, tree / "lisa", "session", "spawn", "--session", "lisa-x", "--tools", **offline)
    assert failed.returncode == 1 and "installing what lisa mcp needs" in failed.stderr
    assert "lisa-no-such-package" in failed.stderr


def test_only_an_accepted_mcp_install_installs_what_it_needs(tree: Path, machine: LisaHost) -> None:
    project = "[project]\ndependencies = []\noptional-dependencies.mcp = [{}]\n"
    (tree / "pyproject.toml").write_text(project.format('"lisa-no-such-package==1"'))
    os.utime(tree / "pyproject.toml", (1, 1))
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    for words, code, shown in (
        (("install", "--agent", "foo", "--json"), 1, '"errorCode":"invalid_agent"'),
        (("install",), 1, "--agent is required"),
        (("serve", "--help"), 0, "lisa mcp serve"),
    ):
        ended = run(machine, tree / "lisa", "mcp", *words, **offline)
        assert (ended.returncode, "installing" in ended.stderr) == (code, False), words
        assert shown in ended.stdout + ended.stderr
    stamp, packages = tree / ".venv" / "lisa-mcp-ready", next((tree / ".venv" / "lib").iterdir()) / "site-packages"
    hide_package(packages, "tomlkit")
    failed = run(machine, tree / "lisa", "mcp", "install", "--agent", "codex", "--print", **offline)
    assert failed.returncode == 1 and "lisa-no-such-package" in failed.stderr and not stamp.exists()
    (packages / "tomlkit").symlink_to(Path(tomlkit.__file__).parent)
    (tree / "pyproject.toml").write_text(project.format(""))
    os.utime(tree / "pyproject.toml", (1, 1))
    entry = run(machine, tree / "lisa", "mcp", "install", "--agent", "codex", "--print", **offline)
    assert (entry.returncode, entry.stdout[:18]) == (0, "[mcp_servers.lisa]") and stamp.exists()
    assert not [name for name in os.listdir(tree / ".venv") if name.startswith("lisa-errors")]


def hide_package(packages: Path, name: str) -> None:
    """Replace the link to the packages by links to all but one."""
    source = packages.resolve()
    packages.unlink()
    packages.mkdir()
    for entry in source.iterdir():
        if not entry.name.startswith(name):
            (packages / entry.name).symlink_to(entry)


def test_concurrent_first_use_waits_and_replaces_a_dead_one(tree: Path, machine: LisaHost) -> None:
    ready = tree / ".venv" / "lisa-ready"
    ready.unlink()
    (tree / ".venv.lock").symlink_to(str(os.getpid()))
    waiting = subprocess.Popen(
        [str(tree / "lisa"), "version"], env=machine.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert waiting.stderr is not None and "waiting for another lisa" in waiting.stderr.readline()
    ready.touch()
    assert waiting.communicate(timeout=20)[0].startswith("lisa ")
    (tree / ".venv.lock").unlink()
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tree / ".venv.lock").symlink_to(str(ended.pid))
    ready.unlink()
    (tree / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    again = run(machine, tree / "lisa", "version")
    assert (again.returncode, again.stdout[:5]) == (0, "lisa ") and "installing" in again.stderr
    assert ready.exists() and not os.path.lexists(tree / ".venv.lock")
