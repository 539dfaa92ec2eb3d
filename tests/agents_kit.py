"""Run the real agent CLIs offline: their binaries, a home folder, a terminal.

    with FakeModelApi() as api, Terminal() as terminal:
        agent = claude_home(tmp_path, tmp_path / "project", api.url)
        terminal.start(agent.argv(), agent.env, agent.project)
        terminal.wait_for(agent.ready)
        terminal.submit("[fake text hello]")
        terminal.wait_for("● hello")

`tests/install_agents` puts the CLIs in place; without them `find_binary` returns None.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from tests.polling import wait_until

LOCK_FILE = Path(__file__).with_name("agents.lock.json")
VERSIONS_VARIABLE = "AGENT_VERSIONS"
"""Versions to use in place of the pinned ones, as `claude=2.1.332 codex=0.171.0`; set by `tests/run --newest`."""
VERSION_DEADLINE_SECONDS = 60
PRESS_ATTEMPTS = 5
TOKEN = "fake"

Permission = Literal["ask", "edits", "bypass"]
Json = Mapping[str, Any]


# ------------------------------------------------------------------ which agents, and where


@dataclass(frozen=True)
class Pin:
    """One agent CLI at one exact version, as `agents.lock.json` names it."""

    agent: str
    package: str
    command: str
    version: str

    @property
    def spec(self) -> str:
        """Return the npm specification: package@version."""
        return f"{self.package}@{self.version}"

    @property
    def folder(self) -> Path:
        """Return its folder in the cache."""
        return cache_dir() / f"{self.package.rpartition('/')[2]}@{self.version}"

    @property
    def binary(self) -> Path:
        """Return the command that npm links there."""
        return self.folder / "node_modules" / ".bin" / self.command


def cache_dir() -> Path:
    """Return the folder of installed agents: LISA_AGENT_CACHE, else ~/.cache/lisa-agents."""
    named = os.environ.get("LISA_AGENT_CACHE")
    return Path(named).expanduser().absolute() if named else Path.home() / ".cache" / "lisa-agents"


def pins(*, older: bool = False) -> list[Pin]:
    """Return the pinned version of every agent; with `older`, the earlier ones after it."""
    lock: dict[str, dict[str, Any]] = json.loads(LOCK_FILE.read_text(encoding="utf-8"))
    chosen = dict(word.split("=", 1) for word in os.environ.get(VERSIONS_VARIABLE, "").split())
    return [
        Pin(agent, entry["package"], entry["command"], version)
        for agent, entry in lock.items()
        for version in [chosen.get(agent, entry["version"]), *(entry["older"] if older else [])]
    ]


def pin(agent: str, version: str | None = None) -> Pin:
    """Return the pin of an agent: the main one, or the given version."""
    for candidate in pins(older=version is not None):
        if candidate.agent == agent and version in (None, candidate.version):
            return candidate
    raise LookupError(f"{agent} {version or ''} is not in {LOCK_FILE.name}")


def find_binary(agent: str, version: str | None = None) -> Path | None:
    """Return the installed binary of an agent, or None if `tests/install_agents` has not installed it."""
    binary = pin(agent, version).binary
    return binary if os.access(binary, os.X_OK) else None


@cache
def reported_version(binary: Path) -> str:
    """Return the version a binary reports ("" if none); run in an empty environment."""
    command = [str(binary), "--version"]
    environment = {"PATH": search_path(), "HOME": os.devnull}
    try:
        ran = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERSION_DEADLINE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.\d+\.\d+", ran.stdout)
    return found[0] if found else ""


def search_path(*folders: Path) -> str:
    """Return a PATH with the given folders before those of this process."""
    return os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])


# ------------------------------------------------------------------ a home to run in


@dataclass(frozen=True)
class AgentHome:
    """One agent CLI with its own home folder, configured for the fake model only."""

    agent: str
    binary: Path
    home: Path
    project: Path
    env: dict[str, str]
    """The complete environment: pass it instead of the environment of the test, not on top of it."""
    ready: str
    """A regular expression that matches the input line on the screen."""
    flags: tuple[str, ...] = ()
    """Arguments for the permission mode."""

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line: the binary, its flags and these arguments."""
        return [str(self.binary), *self.flags, *arguments]


def claude_home(
    root: Path,
    project: Path,
    api_url: str,
    *,
    trusted: bool = True,
    permission: Permission = "ask",
    todos: bool = False,
    retries: int = 1,
    config: Json | None = None,
    settings: Json | None = None,
    env: Mapping[str, str] | None = None,
    version: str | None = None,
) -> AgentHome:
    """Make a home for claude below `root`; `config` goes into .claude.json, `settings` into settings.json.

    No dialog opens when `trusted`.  `permission` is a flag of `argv` and not a setting: with a mode
    in its settings, claude opens with an offer to change it.  `todos` makes claude offer its model
    the TaskCreate and TaskUpdate tools (TodoWrite with CLAUDE_CODE_ENABLE_TASKS=0 in `env` too).
    """
    home = _make_folders(root, project)
    answers: Json = {
        "hasCompletedOnboarding": True,
        "bypassPermissionsModeAccepted": permission == "bypass",
        "projects": {str(project): {"hasTrustDialogAccepted": True}} if trusted else {},
    }
    _write_json(home / ".claude.json", merge_settings(answers, config or {}))
    _write_json(home / ".claude" / "settings.json", settings or {})
    mode = {"ask": "default", "edits": "acceptEdits", "bypass": "bypassPermissions"}[permission]
    own = {
        "ANTHROPIC_BASE_URL": api_url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": str(retries),
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
    }
    if todos:
        own |= {"CLAUDE_CODE_ENABLE_TODO_TOOLS": "1", "ENABLE_TOOL_SEARCH": "false"}
    binary = require_binary("claude", version)
    whole = {**_bare_environment(root, binary), **own, **(env or {})}
    flags = ("--permission-mode", mode)
    return AgentHome("claude", binary, home, project, whole, r"(?m)^❯[ \u00a0]", flags)


def codex_home(
    root: Path,
    project: Path,
    api_url: str,
    *,
    trusted: bool = True,
    permission: Permission = "ask",
    todos: bool = False,
    retries: int = 1,
    config: Json | None = None,
    env: Mapping[str, str] | None = None,
    version: str | None = None,
) -> AgentHome:
    """Make a home for codex below `root`; `config` is merged into config.toml, table by table.

    `todos` makes codex offer update_plan and, outside of plan mode too, request_user_input.
    """
    home = _make_folders(root, project)
    basis = _codex_config(api_url, permission, retries)
    if trusted:
        basis = merge_settings(basis, {"projects": {str(project): {"trust_level": "trusted"}}})
    if todos:
        features = {"default_mode_request_user_input": True}
        tools = {"update_plan": {"enabled": True}}
        basis = merge_settings(basis, {"features": features, "tools": tools})
    codex = home / ".codex"
    codex.mkdir(exist_ok=True)
    (codex / "config.toml").write_text(render_toml(merge_settings(basis, config or {})), encoding="utf-8")
    own = {"CODEX_HOME": str(codex), "LISA_FAKE_KEY": TOKEN}
    binary = require_binary("codex", version)
    whole = {**_bare_environment(root, binary), **own, **(env or {})}
    return AgentHome("codex", binary, home, project, whole, r"(?m)^› ")


def _codex_config(api_url: str, permission: Permission, retries: int) -> Json:
    sandbox = "danger-full-access" if permission == "bypass" else "workspace-write"
    return {
        "model": "gpt-5.5-codex",
        "model_provider": "fake",
        "check_for_update_on_startup": False,
        "approval_policy": "never" if permission == "bypass" else "on-request",
        "sandbox_mode": sandbox,
        "model_providers": {
            "fake": {
                "name": "fake",
                "base_url": f"{api_url}/v1",
                "env_key": "LISA_FAKE_KEY",
                "wire_api": "responses",
                "request_max_retries": retries,
                "stream_max_retries": retries,
            }
        },
        "analytics": {"enabled": False},
        "features": {"daemon_auto_start": False},
    }


def require_binary(agent: str, version: str | None = None) -> Path:
    """Return the installed binary; skip the test if it is missing."""
    binary = find_binary(agent, version)
    if binary is None:
        import pytest  # the installer runs without it

        pytest.skip(f"{agent} is not installed: run tests/install_agents")
    return binary


def _make_folders(root: Path, project: Path) -> Path:
    """Make the home, the project and a temp folder which is not above the home."""
    home = root / "home"
    for folder in (home / ".claude", project, root / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    return home


def _bare_environment(root: Path, binary: Path) -> dict[str, str]:
    others = [found.parent for each in pins() if (found := find_binary(each.agent))]
    return {
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "PATH": search_path(binary.parent, *others),
        "SHELL": "/bin/bash",
        "TERM": "screen-256color",
        "LANG": "C.UTF-8",
    }


def merge_settings(base: Json, extra: Json) -> Json:
    """Merge two settings trees; `extra` wins."""
    out = dict(base)
    for key, value in extra.items():
        below = out.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        out[key] = merge_settings(below, value) if both and below is not None else value
    return out


def _write_json(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def render_toml(table: Json, name: str = "") -> str:
    """Return a settings tree as TOML: plain values first, as the format requires."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"[{name}]"] if name and plain else []
    lines += [f"{_toml_key(key)} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines.append(render_toml(value, f"{name}.{_toml_key(key)}" if name else _toml_key(key)))
    return "\n".join(lines) + "\n"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


# ------------------------------------------------------------------ a terminal to run in


class Terminal:
    """One pane on its own tmux server, which ends with the `with` block."""

    def __init__(self, width: int = 160, height: int = 50) -> None:
        self.size = ["-x", str(width), "-y", str(height)]
        self.folder = Path(tempfile.mkdtemp(prefix="lisa-tmux-"))
        self.socket = self.folder / "socket"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.tmux("kill-server", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def tmux(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        """Run a tmux command on this server."""
        command = ["tmux", "-S", str(self.socket), "-f", os.devnull, *arguments]
        environment = {"PATH": search_path(), "LANG": "C.UTF-8", "HOME": str(self.folder)}
        ran = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=check)
        return ran.stdout

    def start(self, argv: list[str], env: Mapping[str, str], cwd: Path) -> None:
        """Run a command in the pane, with exactly this environment; the pane stays after it."""
        bare = ["env", "-i", *(f"{name}={value}" for name, value in env.items())]
        self.tmux("new-session", "-d", *self.size, "-c", str(cwd), *bare, *argv,
                  ";", "set-option", "remain-on-exit", "on")  # fmt: skip

    def screen(self) -> str:
        """Return the screen of the pane."""
        return self.tmux("capture-pane", "-p", check=False)

    def format_value(self, name: str) -> str:
        """Return the value of a tmux format, such as pane_title or pane_pid."""
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def wait_for(self, pattern: str, timeout: float = 30) -> str:
        """Wait until the screen matches a regular expression; return the screen."""
        try:
            wait_until(lambda: re.search(pattern, self.screen()), timeout=timeout, what=pattern)
        except AssertionError as missing:
            raise AssertionError(f"{missing}; the screen shows:\n{self.screen()}") from None
        return self.screen()

    def press(self, *keys: str) -> None:
        """Press keys, by their tmux names."""
        self.tmux("send-keys", *keys)

    def submit(self, prompt: str, accepted: Callable[[], object] = lambda: True) -> None:
        """Paste a prompt and press Enter, again until it is `accepted`.

        An agent which just started (claude 2.1.197 above all) may swallow the first Enter.
        """
        self.tmux("load-buffer", "-", text=prompt)
        self.tmux("paste-buffer", "-p", "-d")
        self.press_until(accepted, "Enter")

    def press_until(self, condition: Callable[[], object], *keys: str) -> None:
        """Press keys; again, every two seconds, until the condition holds.

        claude ignores keys in the first moments of a dialog.
        """
        for _ in range(PRESS_ATTEMPTS):
            self.press(*keys)
            with contextlib.suppress(AssertionError):
                wait_until(condition, timeout=2)
                return
        raise AssertionError(f"{keys} had no effect; the screen shows:\n{self.screen()}")
