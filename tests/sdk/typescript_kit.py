"""The TypeScript SDK, built once per state of its sources in the cache folder, and programs that use it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SDK = Path(__file__).resolve().parents[2] / "sdk" / "typescript"
PAGES = (SDK / "README.md", SDK.parents[1] / "docs" / "guide" / "typescript.md")
"""Their TypeScript examples are compiled."""
NODE_MAJOR = 20
ALIAS = "@limacharlie/ai-sessions"
SOURCES = ("src", "test", "examples")
FILES = ("package.json", "tsconfig.json", "README.md", "LICENSE")
KEPT_SECONDS = 86400
"""A build of another state is removed when it is older."""


def node_major() -> int:
    """Return the major version of node; 0 if it is missing."""
    if not shutil.which("node"):
        return 0
    ran = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)", ran.stdout)
    return int(found[1]) if found else 0


@dataclass(frozen=True)
class NodePackages:
    """The packages of the lock file, in the cache folder."""

    folder: Path

    @property
    def compiler(self) -> Path:
        return self.folder / "node_modules" / ".bin" / "tsc"

    @property
    def reason_file(self) -> Path:
        return self.folder.with_suffix(".reason")

    @property
    def reason(self) -> str:
        """Return the reason why the packages are missing."""
        if self.reason_file.exists() and (text := self.reason_file.read_text().strip()):
            return text
        return f"{self.compiler} is missing: tests/install_typescript installs it"


def _find_packages() -> NodePackages:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    lock = hashlib.sha256((SDK / "package-lock.json").read_bytes()).hexdigest()[:12]
    return NodePackages(cache / "lisa-clients" / f"typescript-{lock}")


PACKAGES = _find_packages()


@dataclass(frozen=True)
class TypeScriptBuild:
    """The compiled SDK, its tests, and its examples against the packed package under its other name."""

    folder: Path

    @property
    def problems(self) -> str:
        """Return the output of the compiler; empty if there is nothing to report."""
        return (self.folder / "problems").read_text()

    @property
    def tarball(self) -> Path:
        return next(self.folder.glob("*.tgz"))

    def run(
        self, program: str, *words: str, env: dict[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a compiled program of `test` or `examples`."""
        return subprocess.run(
            self.command(program, *words), cwd=self.folder, env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def command(self, program: str, *words: str) -> list[str]:
        """Return the command line of a compiled program; words before it that begin with a dash go to node."""
        flags = [word for word in words if word.startswith("--")]
        rest = [word for word in words if not word.startswith("--")]
        return ["node", *flags, str(self.folder / "build" / f"{program}.js"), *rest]


def build_sdk() -> TypeScriptBuild:
    """Return the build of the present sources; make it unless it is in the cache."""
    builds = PACKAGES.folder / "builds"
    builds.mkdir(exist_ok=True)
    folder = builds / _hash_sources()
    with (builds / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "problems").exists():
            _remove_old(builds)
            _build(folder)
    return TypeScriptBuild(folder)


def _inputs() -> Iterator[Path]:
    for name in SOURCES:
        yield from sorted(path for path in (SDK / name).rglob("*") if path.is_file())
    yield from (SDK / name for name in FILES)
    yield from (page for page in PAGES if page.exists())
    yield Path(__file__)


def _hash_sources() -> str:
    digest = hashlib.sha256()
    for path in _inputs():
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _remove_old(builds: Path) -> None:
    for folder in builds.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _build(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in SOURCES:
        shutil.copytree(SDK / name, folder / name)
    for name in FILES:
        shutil.copy(SDK / name, folder)
    _write_page_examples(folder / "examples")
    problems = _compile(folder, "tsconfig.json") + _compile(folder, "test/tsconfig.json")
    _install_under_other_name(folder)
    problems += _compile(folder, "examples/tsconfig.json")
    (folder / "problems").write_text(problems)


def _compile(folder: Path, project: str) -> str:
    command = [str(PACKAGES.compiler), "--project", str(folder / project), "--pretty", "false"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


def _write_page_examples(folder: Path) -> None:
    """Write the TypeScript blocks of each page as one module."""
    for page in PAGES:
        if page.exists():
            found = re.findall(r"^```ts\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
            (folder / f"page-{page.stem.lower()}.ts").write_text("\n".join(found), encoding="utf-8")


def _install_under_other_name(folder: Path) -> None:
    """Pack the package and unpack it as npm does for `npm install ALIAS@file:PACKAGE.tgz`."""
    command = ["npm", "pack", "--ignore-scripts", "--json", "--no-update-notifier"]
    packed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    tarball = folder / json.loads(packed.stdout)[0]["filename"]
    place = folder / "node_modules" / ALIAS
    place.mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (folder / "unpacked" / "package").rename(place / ".new")
    for path in (place / ".new").iterdir():
        path.rename(place / path.name)
    (place / ".new").rmdir()
