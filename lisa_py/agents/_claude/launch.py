"""Start of claude: the command line for users, and the one that is run, with identity, hooks and permission mode."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from lisa_py.agents._claude import cost, home, options, settings
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan, require_prompt, run_probes
from lisa_py.contract import digests, jsontext
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.quoting import has_flag, quote, quote_posix, split_arguments
from lisa_py.host import files
from lisa_py.host.run import ProgramCall

SKIP_PERMISSIONS_FLAG = "--dangerously-skip-permissions"
ARGUMENT_LIMIT = 100_000
"""Bytes of prompt in one argument; Linux allows 131,071."""
_RESUME_FLAGS = ("--resume", "-r", "--continue", "-c", "--from-pr", "--teleport")
_UUID = compile_late(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_NAMESPACE = bytes.fromhex("3b0f2c526f0e5d0a9a531f6a9b0f4e11")


class UserArguments(Struct, frozen=True):
    """The user's agent arguments, as far as they can be parsed without a shell."""

    words: tuple[str, ...]

    def has(self, *flags: str) -> bool:
        return any(word == flag or word.startswith(flag + "=") for word in self.words for flag in flags)

    def value(self, *flags: str) -> str:
        """Return the value of the last of these flags; empty if none."""
        found = ""
        for at, word in enumerate(self.words):
            for flag in flags:
                if word == flag and at + 1 < len(self.words) and not self.words[at + 1].startswith("-"):
                    found = self.words[at + 1]
                elif word.startswith(flag + "="):
                    found = word[len(flag) + 1 :]
        return found


def parse_arguments(agent_args: str) -> UserArguments:
    if not agent_args:
        return UserArguments(())
    import shlex  # noqa: PLC0415 - few starts need it

    try:
        return UserArguments(tuple(shlex.split(agent_args)))
    except ValueError:
        return UserArguments(tuple(split_arguments(agent_args)))


def build_command(request: AgentLaunch) -> str:
    """Return the command line of the contract."""
    require_prompt(request)
    return _join_command(request, _skip_flags(request))


def _skip_flags(request: AgentLaunch) -> list[str]:
    if request.settings.permission_mode:
        return ["--permission-mode", request.settings.permission_mode]
    skips = request.skip_permissions and not has_flag(request.agent_args, SKIP_PERMISSIONS_FLAG)
    return [SKIP_PERMISSIONS_FLAG] if skips else []


def _join_command(request: AgentLaunch, permissions: Sequence[str]) -> str:
    """Return the line for users with these permission flags."""
    words = [*options.user_words(request), *permissions]
    if request.mode == "exec":
        parts = ["claude", "-p", quote(request.prompt), *words, request.agent_args]
    else:
        # a list of tools takes every word up to the next flag
        end = "--" if request.prompt and (request.settings.allowed_tools or request.settings.denied_tools) else ""
        parts = ["claude", *words, request.agent_args, end, quote(request.prompt) if request.prompt else ""]
    return " ".join(part for part in parts if part)


class _LaunchDraft:
    """A plan under construction."""

    def __init__(self, request: AgentLaunch, facts: Facts) -> None:
        self.request = request
        self.facts = facts
        self.user_arguments = parse_arguments(request.agent_args)
        self.options = options.build_options(request, facts)
        self.before: list[str] = []
        self.after: list[str] = []
        self.env: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.notes: list[str] = []
        self.session_id = ""
        self.hooks = False

    def supports(self, flag: str) -> bool:
        return flag in self.facts.flags

    @property
    def skips_permissions(self) -> bool:
        mode = self.request.settings.permission_mode
        skips = mode == "bypassPermissions" if mode else self.request.skip_permissions
        return skips or has_flag(self.request.agent_args, SKIP_PERMISSIONS_FLAG)


def plan_launch(request: AgentLaunch, facts: Facts) -> LaunchPlan:
    """Return the plan for the installed version."""
    build_command(request)  # report an impossible command line
    draft = _LaunchDraft(request, facts)
    draft.before += _skip_flags(request)
    _add_permission_mode(draft)
    permissions = tuple(draft.before)
    draft.before = [*draft.options.words, *draft.before]
    draft.after += draft.options.hidden
    _choose_session_id(draft)
    _add_settings(draft)
    _use_main_screen(draft)
    _add_trust(draft)
    draft.notes += facts.describe_unanswered("claude", "what needs them is left out")
    script, stdin, send_prompt = _build_command_line(draft)
    return LaunchPlan(
        command=_join_command(request, permissions),
        script=script,
        env={**draft.env, **draft.options.env},
        unset=tuple(draft.options.unset),
        files={**draft.files, **draft.options.files},
        secret_files=draft.options.secret_files,
        stdin=stdin,
        agent_session_id=draft.session_id,
        hooks=draft.hooks,
        rule_events=("PreToolUse", "PermissionRequest") if draft.hooks else (),
        unattended=draft.skips_permissions or request.mode == "exec",
        send_prompt=send_prompt,
        notes=tuple(draft.notes),
        warnings=tuple(draft.options.warnings),
    )


def _build_command_line(draft: _LaunchDraft) -> tuple[str, str | None, bool]:
    """Return the shell line, the text for its standard input, and True if the prompt is still to be sent."""
    request = draft.request
    prompt, stdin, send_prompt = request.prompt, None, False
    if len(prompt.encode("utf-8", "surrogateescape")) > ARGUMENT_LIMIT:
        if request.mode == "exec":
            stdin = prompt
        else:
            send_prompt = True
        prompt = ""
    parts = [quote_posix(draft.facts.binary) if draft.facts.binary else "claude"]
    parts += ["-p"] if request.mode == "exec" else []
    parts += [*draft.before, request.agent_args, *draft.after]
    if prompt:
        # after `--` a prompt may begin with a dash, and no flag with several values takes it
        parts += [] if "--" in draft.user_arguments.words else ["--"]
        parts.append(quote_posix(prompt))
    return " ".join(part for part in parts if part), stdin, send_prompt


def _choose_session_id(draft: _LaunchDraft) -> None:
    """Choose the conversation id, unless the user's arguments determine it."""
    request, user = draft.request, draft.user_arguments
    given = user.value("--session-id")
    resumed = user.value("--resume", "-r")
    if given:
        draft.session_id = given
    elif user.has(*_RESUME_FLAGS) and not user.has("--fork-session"):
        draft.session_id = resumed if _UUID.match(resumed) else ""
    elif request.run_id and draft.supports("--session-id"):
        draft.session_id = digests.make_uuid(_NAMESPACE, f"{request.run_id}:{request.folder}")
        draft.before += ["--session-id", draft.session_id]


def _add_permission_mode(draft: _LaunchDraft) -> None:
    request, user = draft.request, draft.user_arguments
    if draft.skips_permissions:
        _allow_root(draft)
        return
    chosen = user.has("--permission-mode", "--permission-prompts", "--restricted") or bool(draft.before)
    if not chosen and draft.supports("--permission-mode"):
        chosen = bool(home.user_permission_mode(request.environ, request.project_root))
        # without it the default of the version applies, which may run tools without approval
        draft.before += [] if chosen else ["--permission-mode", "default"]


def _allow_root(draft: _LaunchDraft) -> None:
    """Handle root: claude refuses to skip permissions as root outside a sandbox."""
    environ = draft.request.environ
    if os.geteuid() != 0 or environ.get("IS_SANDBOX"):
        return
    container_evidence = detect_container(environ)
    if container_evidence:
        draft.env["IS_SANDBOX"] = "1"
        draft.notes.append(f"IS_SANDBOX=1 set: root inside a container ({container_evidence}), permissions skipped")
    else:
        draft.notes.append(
            "claude refuses to skip permissions as root: run as another user, keep permissions"
            " (--no-dangerously-skip-permissions), or set IS_SANDBOX=1 where the whole machine is a sandbox"
        )


def detect_container(environ: Mapping[str, str]) -> str:
    """Return the evidence that this machine is a container; empty if none."""
    for path in ("/.dockerenv", "/run/.containerenv"):
        if files.exists(path):
            return path
    for name in ("container", "KUBERNETES_SERVICE_HOST"):
        if environ.get(name):
            return name
    return ""


def _add_trust(draft: _LaunchDraft) -> None:
    """Handle trust: an interactive session in an unknown folder begins with a dialog, an exec run does not."""
    request = draft.request
    if request.mode == "exec" or not request.folder or not request.project_root:
        return
    if request.trust:
        note = home.trust_folder(request.environ, request.project_root)
    elif home.is_trusted(request.environ, request.project_root):
        note = ""
    else:
        note = "claude will show the trust dialog for the project folder; --trust accepts it in advance"
    draft.notes += [note] if note else []


def _add_settings(draft: _LaunchDraft) -> None:
    """Write the settings file with hooks (and the accepted bypass warning), joined with the user's --settings."""
    request, user = draft.request, draft.user_arguments
    if not request.folder or not draft.supports("--settings"):
        return
    own: dict[str, Any] = dict(draft.options.settings)
    if draft.skips_permissions and request.mode != "exec":
        own["skipDangerousModePermissionPrompt"] = True
        if not home.read_json_object(home.config_file(request.environ)).get("bypassPermissionsModeAccepted"):
            draft.notes.append("the warning about skipped permissions is accepted for this session")
    if request.hook and not user.has("--bare", "--safe-mode"):
        own["hooks"] = settings.hook_settings(request, draft.facts.version)
        own |= cost.build_status_line(request)
        draft.hooks = True
    if user.has("--settings"):
        theirs = settings.read_user_settings(user.value("--settings"), request.project_root)
        if theirs is None:
            draft.hooks = False
            draft.notes.append("hooks left out: the --settings in --agent-args could not be read")
            if draft.options.settings:
                kept = ", ".join(draft.options.settings)
                draft.options.warnings.append(f"{kept} not applied: the --settings in --agent-args could not be read")
            return
        own = settings.merge_settings(theirs, own)
    if own:
        draft.files["settings.json"] = jsontext.encode_exact(own, indent=1)
        draft.after += ["--settings", quote_posix(os.path.join(request.folder, "settings.json"))]


def _use_main_screen(draft: _LaunchDraft) -> None:
    """Use the main screen, on which the pane keeps its history."""
    request = draft.request
    if request.main_screen and request.mode != "exec" and "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN" not in request.environ:
        draft.env["CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN"] = "1"


_FLAG = compile_late(r"(?<![\w-])--[a-z][a-z0-9-]+")


def probe_binary(binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
    """Probe the version and the flags of the help page, in the agent's own environment."""
    quiet = {**environ, "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    unanswered: dict[str, str] = {}
    probes = {flag: ProgramCall(argv=[binary, flag]) for flag in ("--version", "--help")}
    answers = run_probes(probes, quiet, timeout, unanswered)
    version = re.search(r"\d+\.\d+\.\d+\S*", answers.get("--version", ""))
    if "--version" in answers and version is None:
        unanswered["--version"] = "it names no version"
    return Facts(
        binary=binary,
        version=version[0] if version else "",
        flags=frozenset(_FLAG.findall(answers.get("--help", ""))),
        unanswered=unanswered,
    )
