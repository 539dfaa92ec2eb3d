"""The real LimaCharlie client, pinned, and a call of it against a loopback server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lisa_host import CallResult, LisaHost

LOCK_FILE = Path(__file__).with_name("client.lock.json")


@dataclass(frozen=True)
class Client:
    """The client at one exact version, in the cache folder."""

    package: str
    version: str

    @property
    def spec(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def folder(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "lisa-clients" / f"{self.package}-{self.version}"

    @property
    def program(self) -> Path:
        return self.folder / "bin" / self.package

    @property
    def reason_file(self) -> Path:
        return self.folder.with_suffix(".reason")

    @property
    def reason(self) -> str:
        """Return the reason why the client is missing."""
        if self.reason_file.exists():
            return self.reason_file.read_text().strip()
        return f"{self.program} is missing: tests/install_client installs it"


CLIENT = Client(**json.loads(LOCK_FILE.read_text(encoding="utf-8")))


def client_environment(machine: LisaHost) -> dict[str, str]:
    """Return the environment in which the client uses the running `lisa serve` of a host, and nothing else."""
    printed = machine.lisa("serve", "--client-env", check_schema=False).out
    return {
        "HOME": str(machine.home),
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        **dict(line.split("=", 1) for line in printed.splitlines()),
    }


def call_client(*words: str, env: Mapping[str, str], stdin: str = "", timeout: float = 60) -> CallResult:
    """Run the client; return its exit code and output."""
    ran = subprocess.run(
        [str(CLIENT.program), *words],
        env=dict(env), input=stdin.encode(), capture_output=True, check=False, timeout=timeout,
    )  # fmt: skip
    return CallResult(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
