"""Policy file of the guard: allowed, denied and required commands of a team."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.core.guard import risk
from lisa_py.core.guard.risk import RiskFinding
from lisa_py.core.guard.shell_parser import ShellCommand
from lisa_py.core.inputs import InputError, Inputs

MACHINE_POLICIES = ("strict", "warn", "off")


class GuardPolicy(Struct, frozen=True, kw_only=True, rename=lambda name: name.replace("_", "")):
    """Content of the file; keys are case-insensitive."""

    machine_policy: str = ""
    allowed_commands: tuple[str, ...] = ()
    denied_commands: tuple[str, ...] = ()
    require_project_root: bool = False
    require_project_only_for_kill_all: bool = False
    allow_cleanup_include_tmux_default: bool = False
    unknown: tuple[str, ...] = ()
    """Unknown keys of the file, usually misspelt."""


def load_policy(inputs: Inputs, path: str) -> GuardPolicy:
    """Load the file. Raise LisaError(policy_file_read_failed | invalid_policy_machine_policy)."""
    try:
        policy = _decode(inputs.read_bytes(path))
    except (InputError, msgspec.DecodeError, msgspec.ValidationError) as problem:
        raise LisaError("policy_file_read_failed", f"failed reading policy file {path}: {problem}") from problem
    if policy.machine_policy not in ("", *MACHINE_POLICIES):
        raise UsageError(
            "invalid_policy_machine_policy",
            f"invalid machinePolicy in {path}: {policy.machine_policy} (expected {'|'.join(MACHINE_POLICIES)})",
        )
    return policy


def _decode(raw: bytes) -> GuardPolicy:
    found = jsontext.decode(raw)
    if not isinstance(found, dict):
        raise InputError("not a JSON object")
    known = {info.encode_name for info in msgspec.structs.fields(GuardPolicy) if info.name != "unknown"}
    lowered = {str(key).lower(): value for key, value in found.items() if value is not None}
    policy = msgspec.convert({key: value for key, value in lowered.items() if key in known}, GuardPolicy)
    return msgspec.structs.replace(
        policy,
        machine_policy=policy.machine_policy.strip().lower(),
        unknown=tuple(str(key) for key in found if str(key).lower() not in known),
    )


def check_policy(policy: GuardPolicy, text: str, commands: list[ShellCommand]) -> list[RiskFinding]:
    """Return the violations of the policy by a text and its commands."""
    low = text.strip().lower()
    found = []
    if _normalise_entries(policy.allowed_commands) and not _is_allowed(policy, low, commands):
        found.append(RiskFinding("policy_not_allowed", "high"))
    if any(_contains_entry(low, commands, entry) for entry in _normalise_entries(policy.denied_commands)):
        found.append(RiskFinding("policy_denied_command", "high"))
    if policy.require_project_root and _lacks_flag(low, commands, "session ", "--project-root"):
        found.append(RiskFinding("policy_requires_project_root", "medium"))
    if policy.require_project_only_for_kill_all and _lacks_flag(low, commands, "session kill-all", "--project-only"):
        found.append(RiskFinding("policy_requires_project_only_for_kill_all", "high"))
    included = any(finding.code == "cleanup_include_tmux_default" for finding in _find_built_in(low, commands))
    if included and not policy.allow_cleanup_include_tmux_default:
        found.append(RiskFinding("policy_disallow_cleanup_include_tmux_default", "high"))
    return found


def _find_built_in(low: str, commands: list[ShellCommand]) -> list[RiskFinding]:
    return risk.assess_text(low) + [finding for found in risk.assess_commands(commands) for finding in found]


def _normalise_entries(entries: tuple[str, ...]) -> list[str]:
    return [" ".join(entry.lower().split()) for entry in entries if entry.strip()]


def _is_allowed(policy: GuardPolicy, low: str, commands: list[ShellCommand]) -> bool:
    """Return True if every command of the chain has an allowed entry; one allowed command does not cover the others."""
    entries = _normalise_entries(policy.allowed_commands)
    texts = [command.text.lower() for command in commands if not command.guessed] or [low]
    return all(any(entry in text for entry in entries) for text in texts)


def _contains_entry(low: str, commands: list[ShellCommand], entry: str) -> bool:
    return entry in low or any(entry in command.text.lower() for command in commands)


def _lacks_flag(low: str, commands: list[ShellCommand], prefix: str, flag: str) -> bool:
    """Return True if a lisa command of this name lacks the flag, in the text as a whole or in one command."""
    if prefix in low and flag not in low:
        return True
    own = (risk.extract_lisa_words(command.words) for command in commands)
    return any(
        words and f"{risk.command_path(words)} ".startswith(prefix) and flag not in risk.extract_flags(words)
        for words in own
    )
