"""The real LimaCharlie client, pinned, and a call of it against a loopback server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

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


class TypedClient:
    """The client with a person at its input; SIGINT ends it, as Ctrl-C does."""

    def __init__(self, env: Mapping[str, str], *words: str) -> None:
        self.read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            [str(CLIENT.program), *words], env=dict(env), stdin=subprocess.PIPE, stdout=write_end, stderr=write_end,
            start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        os.close(write_end)
        os.set_blocking(self.read_end, False)
        self.text = ""

    def wait_for(self, words: str) -> None:
        self.wait_for_count(words, 1)

    def wait_for_count(self, words: str, count: int) -> None:
        try:
            wait_until(lambda: self.read().count(words) >= count, what=f"{count} times {words}")
        except AssertionError as problem:
            raise AssertionError(f"{problem}; printed: {self.text[-3000:]}") from None

    def read(self) -> str:
        while True:
            try:
                read = os.read(self.read_end, 65536)
            except BlockingIOError:
                return self.text
            if not read:
                return self.text
            self.text += read.decode()

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def type_until(self, line: str, words: str) -> None:
        """Type a line until a text appears: the client has two readers of its input, and either may take the line."""
        for _ in range(5):
            self.type(line)
            try:
                wait_until(lambda: words in self.read(), timeout=2)
            except AssertionError:
                continue
            return

    def leave(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.stdin is not None
        self.process.stdin.close()  # its reader of typed lines ends only with them
        code = self.process.wait(timeout=20)
        self.read()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:
            pass
        os.close(self.read_end)
