"""Starting claude: the command line users see, and the one that is run, with identity, hooks and a permission mode."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from lisa_py.agents._claude import home, settings
from lisa_py.agents.base import Facts, Launch, Plan, has_flag, need_prompt, quote, quote_posix, tokens
from lisa_py.contract.errors import LisaError
from lisa_py.host import files

SKIP = "--dangerously-skip-permissions"
ARGUMENT_LIMIT = 100_000
"""Bytes of prompt that go into one argument; Linux takes 131,071."""
_RESUMES = ("--resume", "-r", "--continue", "-c", "--from-pr", "--teleport")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_NAMESPACE = uuid.UUID("3b0f2c52-6f0e-5d0a-9a53-1f6a9b0f4e11")


class Words(Struct, frozen=True):
    """The user's own agent arguments, as far as they can be read without running a shell."""

    words: tuple[str, ...]

    def has(self, *flags: str) -> bool:
        return any(word == flag or word.startswith(flag + "=") for word in self.words for flag in flags)

    def value(self, *flags: str) -> str:
        """The value of the last of these flags; empty when there is none."""
        found = ""
        for at, word in enumerate(self.words):
            for flag in flags:
                if word == flag and at + 1 < len(self.words) and not self.words[at + 1].startswith("-"):
                    found = self.words[at + 1]
                elif word.startswith(flag + "="):
                    found = word[len(flag) + 1 :]
        return found


def words_of(agent_args: str) -> Words:
    import shlex  # noqa: PLC0415 - only a start needs it

    try:
        return Words(tuple(shlex.split(agent_args)))
    except ValueError:
        return Words(tuple(tokens(agent_args)))


def command(launch: Launch) -> str:
    """The command line of the contract."""
    need_prompt(launch)
    if launch.model:
        raise LisaError("invalid_model_configuration", "--model is for codex; give claude's in --agent-args")
    skip = SKIP if launch.skip_permissions and not has_flag(launch.agent_args, SKIP) else ""
    if launch.mode == "exec":
        parts = ["claude", "-p", quote(launch.prompt), skip, launch.agent_args]
    else:
        parts = ["claude", skip, launch.agent_args, quote(launch.prompt) if launch.prompt else ""]
    return " ".join(part for part in parts if part)


class _Draft:
    """A plan in the making."""

    def __init__(self, launch: Launch, facts: Facts) -> None:
        self.launch = launch
        self.facts = facts
        self.user = words_of(launch.agent_args)
        self.before: list[str] = []
        self.after: list[str] = []
        self.env: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.notes: list[str] = []
        self.session_id = ""
        self.hooks = False

    def knows(self, flag: str) -> bool:
        return flag in self.facts.flags

    @property
    def skips(self) -> bool:
        return self.launch.skip_permissions or has_flag(self.launch.agent_args, SKIP)


def plan(launch: Launch, facts: Facts) -> Plan:
    """How to start the installed version."""
    draft = _Draft(launch, facts)
    if not has_flag(launch.agent_args, SKIP) and launch.skip_permissions:
        draft.before.append(SKIP)
    _identity(draft)
    _permissions(draft)
    _settings(draft)
    _screen(draft)
    _trust(draft)
    script, stdin, send_prompt = _line(draft)
    return Plan(
        command=command(launch),
        script=script,
        env=draft.env,
        files=draft.files,
        stdin=stdin,
        agent_session_id=draft.session_id,
        hooks=draft.hooks,
        send_prompt=send_prompt,
        notes=tuple(draft.notes),
    )


def _line(draft: _Draft) -> tuple[str, str | None, bool]:
    """The shell line, the text for its standard input, and whether the prompt is still to be sent."""
    launch = draft.launch
    prompt, stdin, send_prompt = launch.prompt, None, False
    if len(prompt.encode("utf-8", "surrogateescape")) > ARGUMENT_LIMIT:
        if launch.mode == "exec":
            stdin = prompt
        else:
            send_prompt = True
        prompt = ""
    parts = [quote_posix(draft.facts.binary) if draft.facts.binary else "claude"]
    parts += ["-p"] if launch.mode == "exec" else []
    parts += [*draft.before, launch.agent_args, *draft.after]
    if prompt:
        # behind `--` a prompt may start with a dash, and no flag with many values can take it
        parts += [] if "--" in draft.user.words else ["--"]
        parts.append(quote_posix(prompt))
    return " ".join(part for part in parts if part), stdin, send_prompt


def _identity(draft: _Draft) -> None:
    """Choose the conversation's id, unless the user's arguments decide which one it is."""
    launch, user = draft.launch, draft.user
    given = user.value("--session-id")
    resumed = user.value("--resume", "-r")
    if given:
        draft.session_id = given
    elif user.has(*_RESUMES) and not user.has("--fork-session"):
        draft.session_id = resumed if _UUID.match(resumed) else ""
    elif launch.run_id and draft.knows("--session-id"):
        draft.session_id = str(uuid.uuid5(_NAMESPACE, f"{launch.run_id}:{launch.folder}"))
        draft.before += ["--session-id", draft.session_id]


def _permissions(draft: _Draft) -> None:
    launch, user = draft.launch, draft.user
    if draft.skips:
        _allow_root(draft)
        return
    chosen = user.has("--permission-mode", "--permission-prompts", "--restricted")
    if not chosen and draft.knows("--permission-mode"):
        chosen = bool(home.user_mode(launch.environ, launch.project_root))
        # without this the installed version's own default decides, which may run tools without asking
        draft.before += [] if chosen else ["--permission-mode", "default"]


def _allow_root(draft: _Draft) -> None:
    """claude refuses to skip permissions as root unless it is told that it runs in a sandbox."""
    environ = draft.launch.environ
    if os.geteuid() != 0 or environ.get("IS_SANDBOX"):
        return
    sign = container(environ)
    if sign:
        draft.env["IS_SANDBOX"] = "1"
        draft.notes.append(f"IS_SANDBOX=1 set: root inside a container ({sign}), permissions skipped")
    else:
        draft.notes.append(
            "claude refuses to skip permissions as root: run as another user, keep permissions"
            " (--no-dangerously-skip-permissions), or set IS_SANDBOX=1 where the whole machine is a sandbox"
        )


def container(environ: Mapping[str, str]) -> str:
    """What shows that this machine is a container; empty when nothing does."""
    for path in ("/.dockerenv", "/run/.containerenv"):
        if files.exists(path):
            return path
    for name in ("container", "KUBERNETES_SERVICE_HOST"):
        if environ.get(name):
            return name
    return ""


def _trust(draft: _Draft) -> None:
    """A dialogue in a folder claude does not know begins with a question; an exec run asks nothing."""
    launch = draft.launch
    if launch.mode == "exec" or not launch.folder or not launch.project_root:
        return
    if launch.trust:
        note = home.trust(launch.environ, launch.project_root)
    elif home.trusted(launch.environ, launch.project_root):
        note = ""
    else:
        note = "claude will ask whether the project folder is trusted; --trust answers that beforehand"
    draft.notes += [note] if note else []


def _settings(draft: _Draft) -> None:
    """A settings file with hooks (and the bypass warning accepted), joined with the user's own --settings."""
    launch, user = draft.launch, draft.user
    if not launch.folder or not draft.knows("--settings"):
        return
    own: dict[str, Any] = {}
    if draft.skips and launch.mode != "exec":
        own["skipDangerousModePermissionPrompt"] = True
        if not home.read_object(home.config_file(launch.environ)).get("bypassPermissionsModeAccepted"):
            draft.notes.append("the warning about skipped permissions is accepted for this session")
    if launch.hook and not user.has("--bare", "--safe-mode"):
        own["hooks"] = settings.hooks(launch, draft.facts.version)
        draft.hooks = True
    if user.has("--settings"):
        theirs = settings.given(user.value("--settings"), launch.project_root)
        if theirs is None:
            draft.hooks = False
            draft.notes.append("hooks left out: the --settings in --agent-args could not be read")
            return
        own = settings.joined(theirs, own)
    if own:
        draft.files["settings.json"] = json.dumps(own, indent=1)
        draft.after += ["--settings", quote_posix(os.path.join(launch.folder, "settings.json"))]


def _screen(draft: _Draft) -> None:
    """On the main screen the pane keeps its history."""
    launch = draft.launch
    if launch.main_screen and launch.mode != "exec" and "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN" not in launch.environ:
        draft.env["CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN"] = "1"


_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


def probe(binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
    """The installed version and the flags its help names; what does not answer in time is left unknown."""
    from lisa_py.host.run import run  # noqa: PLC0415 - only a start needs it

    quiet = {**environ, "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    try:
        said = run([binary, "--version"], timeout=timeout, env=quiet, group=True)
        version = re.search(r"\d+\.\d+\.\d+\S*", said.text) if said.code == 0 else None
        helped = run([binary, "--help"], timeout=timeout, env=quiet, group=True) if version else None
    except OSError:
        return Facts(binary=binary)
    flags = frozenset(_FLAG.findall(helped.text)) if helped is not None and helped.code == 0 else frozenset()
    return Facts(binary=binary, version=version[0] if version else "", flags=flags)
