"""Event hook of lisa in codex: flags for one run that trust exactly this command and no other hook."""

from __future__ import annotations

import msgspec

from lisa_py.agents.launch import AgentLaunch, Facts
from lisa_py.contract import digests
from lisa_py.contract.quoting import quote_posix

EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop", "SessionEnd")
EXEC_EVENTS = ("SessionStart",)
"""A run prints two lines per hook; this one identifies the rollout of the run."""
RULE_EVENTS = ("PreToolUse", "PermissionRequest")
"""Events that take a decision about a call: PreToolUse only a denial."""
HOOK_TIMEOUT_SECONDS = 3
"""Longest SessionEnd time-out that codex allows."""
_HOOK_SOURCE = "/<session-flags>/config.toml"
"""Codex's name for the source of hooks given with `-c`."""


def hook_flags(request: AgentLaunch, facts: Facts) -> list[str]:
    """Return the `-c` flags for the events whose trust the installed version accepts; else none."""
    denies = ("PreToolUse",) if request.settings.denied_tools or request.approvals else ()
    wanted = (*EXEC_EVENTS, *denies) if request.mode == "exec" else EVENTS
    events = [event for event in wanted if f"hook {event}" in facts.flags]
    if not events or not request.folder or not request.hook:
        return []
    program = f"/bin/sh {quote_posix(request.hook)} {quote_posix(request.folder)}"
    return ["-c " + quote_posix(setting) for setting in hook_settings(program, events)]


def hook_settings(program: str, events: tuple[str, ...] | list[str]) -> list[str]:
    """Return `key=value` for each `-c`: the hooks, and the state that trusts their command."""
    given = []
    trusted = []
    for event in events:
        command = f"{program} {event}"
        handler = f'{{type="command",command={_toml_string(command)},timeout={HOOK_TIMEOUT_SECONDS}}}'
        given.append(f"hooks.{event}=[{{hooks=[{handler}]}}]")
        # a key cannot be given dotted: codex cuts it at the dot of config.toml
        trusted.append(
            f"{_toml_string(f'{_HOOK_SOURCE}:{_snake_case(event)}:0:0')}="
            f'{{trusted_hash="{_hook_hash(event, command)}"}}'
        )
    return [*given, f"hooks.state={{{','.join(trusted)}}}"]


def _hook_hash(event: str, command: str) -> str:
    """Return the digest of a hook definition, as codex compares it."""
    handler = {"type": "command", "command": command, "timeout": HOOK_TIMEOUT_SECONDS, "async": False}
    identity = {"event_name": _snake_case(event), "hooks": [handler]}
    return "sha256:" + digests.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()


def _snake_case(event: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() and at else char.lower() for at, char in enumerate(event))


def _toml_string(text: str) -> str:
    # JSON escapes are TOML escapes except DEL, which no path here contains
    return msgspec.json.encode(text).decode()
