"""Starting codex: the command line users see, and the one that fits the installed version."""

from __future__ import annotations

import re

from lisa_py.agents._codex import BYPASS, FULL_AUTO, hooks, title
from lisa_py.agents.base import Facts, Launch, Plan, has_flag, need_prompt, quote, quote_posix, tokens
from lisa_py.contract.errors import LisaError

REPO_CHECK = "--skip-git-repo-check"
ARGV_MAX = 100_000
"""Bytes of prompt in a command line; Linux takes 131,071 for one argument."""
SUBCOMMANDS = re.compile(r"[a-z][a-z-]*\Z")
"""A prompt of one such word could be read as a sub-command."""
_SHELL_SIGNS = re.compile(r"[|<>&;#]")
_SANDBOX_FLAGS = ("-s", "--sandbox", "--approve-for-me", BYPASS, "--yolo", FULL_AUTO)


def command(launch: Launch) -> str:
    """The command line of the contract. Raises LisaError(agent_command_build_failed)."""
    need_prompt(launch)
    args = launch.agent_args.strip()
    bypass = launch.bypass or has_flag(args, BYPASS)
    if launch.mode == "exec" and has_flag(args, BYPASS) and has_flag(args, FULL_AUTO):
        raise LisaError(
            "agent_command_build_failed", f"--agent-args hold both {BYPASS} and {FULL_AUTO}; leave one of them out"
        )
    words = ["codex"]
    if launch.mode == "exec":
        words += ["exec", quote(launch.prompt)]
        if not bypass and not has_flag(args, FULL_AUTO):
            words.append(FULL_AUTO)
        if not has_flag(args, REPO_CHECK):
            words.append(REPO_CHECK)
    words += [args, _model(launch)]
    if launch.bypass and not has_flag(args, BYPASS):
        words.append(BYPASS)
    if launch.mode != "exec" and launch.prompt:
        words.append(quote(launch.prompt))
    return " ".join(word for word in words if word)


def _model(launch: Launch) -> str:
    return f"--model {quote(launch.model)}" if launch.model else ""


def plan(launch: Launch, facts: Facts) -> Plan:
    """How to start the installed version: the same intent, in words it knows."""
    shown = command(launch)
    notes: list[str] = []
    args = _known_args(launch, facts, notes)
    flags = [*_common(launch, facts, args, notes), *_mode_flags(launch, facts, args, notes)]
    hook_flags = hooks.flags(launch, facts)
    if hook_flags and not config_given(args, "hooks"):
        flags += hook_flags
        notes.append("codex: lisa's own event hook is trusted for this run; other hooks keep their trust")
    else:
        hook_flags = []
    if launch.model:
        flags.append(f"--model {quote_posix(launch.model)}")
    if launch.bypass and not has_flag(args, BYPASS):
        flags.append(BYPASS)
    prompt, stdin, later = _prompt(launch)
    program = quote_posix(facts.binary) if facts.binary else "codex"
    if launch.mode == "exec":
        # without a closed standard input codex waits for more of the prompt
        program += " exec" if stdin is not None else " exec </dev/null"
    last = [prompt, args] if _SHELL_SIGNS.search(args) else [args, prompt]
    return Plan(
        command=shown,
        script=" ".join(word for word in (program, *flags, *last) if word),
        stdin=stdin,
        hooks=bool(hook_flags),
        send_prompt=later,
        notes=tuple(notes),
    )


def _prompt(launch: Launch) -> tuple[str, str | None, bool]:
    """The prompt as the last words of the line, or for standard input, or to be sent later."""
    text = launch.prompt
    if not text:
        return "", None, False
    if text.startswith("!") and launch.mode != "exec":
        text = " " + text  # else codex runs it as a shell command of the user's, without a sandbox and without asking
    if len(text.encode("utf-8", "surrogateescape")) > ARGV_MAX or (launch.mode == "exec" and text == "-"):
        return ("-", text, False) if launch.mode == "exec" else ("", None, True)
    if "--" in tokens(launch.agent_args) or not (text.startswith("-") or SUBCOMMANDS.match(text)):
        return quote_posix(text), None, False
    return "-- " + quote_posix(text), None, False


def _known_args(launch: Launch, facts: Facts, notes: list[str]) -> str:
    """The user's arguments, with a `--full-auto` that this version has not replaced by what it meant."""
    args = launch.agent_args.strip()
    if not has_flag(args, FULL_AUTO) or _knows(facts, launch.mode, FULL_AUTO):
        return args
    meant = "-s workspace-write" if launch.mode == "exec" else "-s workspace-write -a on-request"
    notes.append(f"codex {facts.version or 'here'} has no {FULL_AUTO}: {meant} is used instead".replace("  ", " "))
    return re.sub(r"(?<!\S)--full-auto(?:=\S+)?(?!\S)", meant, args)


def _common(launch: Launch, facts: Facts, args: str, notes: list[str]) -> list[str]:
    flags: list[str] = []
    if not config_given(args, "check_for_update_on_startup"):
        flags.append("-c check_for_update_on_startup=false")
    if launch.trust and launch.project_root and not config_given(args, "projects"):
        # the path goes into the value: a dotted key would be cut at the dots of a path
        table = f'projects={{{toml_string(launch.project_root)}={{trust_level="trusted"}}}}'
        flags.append("-c " + quote_posix(table))
        notes.append(f"codex trusts {launch.project_root} for this run, as --trust asked")
    return flags


def _mode_flags(launch: Launch, facts: Facts, args: str, notes: list[str]) -> list[str]:
    if launch.mode == "exec":
        return _exec_flags(launch, facts, args, notes)
    flags: list[str] = []
    if not any(has_flag(args, flag) for flag in ("--no-daemon", "--remote")):
        if "--no-daemon" in facts.flags:
            flags.append("--no-daemon")
        elif not config_given(args, "features.daemon_auto_start"):
            flags.append("-c features.daemon_auto_start=false")
    if (setting := title.setting(facts)) and not config_given(args, "tui.terminal_title"):
        flags.append("-c " + quote_posix(setting))
    if launch.main_screen and "--no-alt-screen" in facts.flags and not has_flag(args, "--no-alt-screen"):
        flags.append("--no-alt-screen")
    return flags


def _exec_flags(launch: Launch, facts: Facts, args: str, notes: list[str]) -> list[str]:
    flags: list[str] = []
    chosen = launch.bypass or any(_given(args, flag) for flag in _SANDBOX_FLAGS) or config_given(args, "sandbox_mode")
    if not chosen:
        if _knows(facts, "exec", FULL_AUTO):
            flags.append(FULL_AUTO)
        else:
            flags.append("-s workspace-write")
            notes.append(
                f"codex {facts.version} has no {FULL_AUTO}: -s workspace-write is used instead".replace("  ", " ")
            )
    if not has_flag(args, REPO_CHECK):
        flags.append(REPO_CHECK)
    return flags


def _knows(facts: Facts, mode: str, flag: str) -> bool:
    return (f"exec {flag}" if mode == "exec" else flag) in facts.flags


def _given(args: str, flag: str) -> bool:
    """Whether the arguments hold a flag, also with its value glued to a one-letter flag."""
    short = len(flag) == 2
    return any(
        word == flag or word.startswith(flag + "=") or (short and word.startswith(flag) and not word.startswith("--"))
        for word in tokens(args)
    )


def config_given(args: str, key: str) -> bool:
    """Whether the arguments set this configuration key (or one below it) with `-c`."""
    return bool(re.search(rf"(?<!\S)(?:-c|--config)[\s=]*['\"]?{re.escape(key)}\b", args))


def toml_string(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04X}", escaped) + '"'
