"""Start of codex: the command line for users, and the one adapted to the installed version."""

from __future__ import annotations

import re

from lisa_py.agents._codex import BYPASS, FULL_AUTO, hooks, options, title
from lisa_py.agents._codex.arguments import has_option, sets_config, toml_string
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan, require_prompt
from lisa_py.contract.commit_line import build_commit_line
from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.quoting import has_flag, quote, quote_posix, split_arguments

SKIP_REPO_CHECK_FLAG = "--skip-git-repo-check"
WORKSPACE_WRITE = "-s workspace-write"
ARGUMENT_LIMIT = 100_000
"""Bytes of prompt in a command line; Linux allows 131,071 for one argument."""
SUBCOMMAND_LIKE = compile_late(r"[a-z][a-z-]*\Z")
"""A prompt of one such word could be read as a sub-command."""
_SHELL_OPERATORS = compile_late(r"[|<>&;#]")
_UNCONFINED = "danger-full-access"
"""The sandbox mode without a sandbox."""
_SANDBOX_FLAGS = ("-s", "--sandbox", "--approve-for-me", BYPASS, "--yolo", FULL_AUTO)


def build_command(request: AgentLaunch) -> str:
    """Return the command line of the contract. Raise LisaError(agent_command_build_failed)."""
    require_prompt(request)
    request = options.apply_mode(request)
    args = request.agent_args.strip()
    if request.mode == "exec" and has_flag(args, BYPASS) and has_flag(args, FULL_AUTO):
        raise LisaError(
            "agent_command_build_failed", f"--agent-args hold both {BYPASS} and {FULL_AUTO}; leave one of them out"
        )
    bypass = request.bypass or has_flag(args, BYPASS)
    mode = options.mode_flags(request, chosen=_chooses_sandbox(request, args))
    return _join_command(request, args, mode or ("" if bypass or has_flag(args, FULL_AUTO) else FULL_AUTO))


def _join_command(request: AgentLaunch, args: str, sandbox: str) -> str:
    """Return the line for users with these arguments and sandbox flags."""
    words = ["codex"]
    if request.mode == "exec":
        words += ["exec", quote(request.prompt), sandbox]
        if not has_flag(args, SKIP_REPO_CHECK_FLAG):
            words.append(SKIP_REPO_CHECK_FLAG)
    elif request.settings.permission_mode:
        words.append(sandbox)
    words += [args, _model_flag(request)]
    if request.bypass and not has_flag(args, BYPASS):
        words.append(BYPASS)
    if request.mode != "exec" and request.prompt:
        words.append(quote(request.prompt))
    return " ".join(word for word in words if word)


def _model_flag(request: AgentLaunch) -> str:
    model, _ = options.choose_model(request)
    return f"--model {quote(model)}" if model else ""


def plan_launch(request: AgentLaunch, facts: Facts) -> LaunchPlan:
    """Return the plan for the installed version: the same intent in its flags."""
    build_command(request)  # report an impossible command line
    request = options.apply_mode(request)
    given = options.build_options(request, facts)
    model, warnings = options.choose_model(request)
    notes: list[str] = list(given.notes)
    args = _supported_arguments(request, facts, notes)
    sandbox = _sandbox_flags(request, facts, args, notes)
    tools = _tool_flags(request, facts, args, notes)
    flags = [*_common_flags(request, args, notes), *tools, *_mode_flags(request, facts, args), sandbox]
    hook_flags = hooks.hook_flags(request, facts)
    if hook_flags and not sets_config(args, "hooks"):
        flags += hook_flags
        notes.append("codex: lisa's own event hook is trusted for this run; other hooks keep their trust")
    else:
        hook_flags = []
    notes += _describe_commits(request, args)
    rule_events = tuple(event for event in hooks.RULE_EVENTS if any(f"hooks.{event}=" in flag for flag in hook_flags))
    warnings += options.describe_unruled(request, rule_events)
    notes += facts.describe_unanswered("codex", "what depends on it is left out")
    flags += given.flags
    if model:
        flags.append(f"--model {quote_posix(model)}")
    if request.bypass and not has_flag(args, BYPASS):
        flags.append(BYPASS)
    prompt, stdin, send_prompt = _prompt_argument(request)
    program = quote_posix(facts.binary) if facts.binary else "codex"
    if request.mode == "exec":
        # codex waits for more prompt text unless standard input is closed
        program += " exec" if stdin is not None else " exec </dev/null"
    last = [prompt, args] if _SHELL_OPERATORS.search(args) else [args, prompt]
    return LaunchPlan(
        command=_join_command(request, " ".join(word for word in (args, *tools) if word), sandbox),
        script=" ".join(word for word in (program, *flags, *last) if word),
        env=given.env,
        secret_files=given.secret_files,
        stdin=stdin,
        hooks=bool(hook_flags),
        rule_events=rule_events,
        unattended=request.bypass or has_flag(args, BYPASS) or request.mode == "exec",
        send_prompt=send_prompt,
        notes=tuple(notes),
        warnings=(*warnings, *given.warnings),
    )


def _prompt_argument(request: AgentLaunch) -> tuple[str, str | None, bool]:
    """Place the prompt: at the end of the line, on standard input, or to be sent later."""
    text = request.prompt
    if not text:
        return "", None, False
    if text.startswith("!") and request.mode != "exec":
        text = " " + text  # else codex runs it as a shell command of the user, without sandbox and approval
    if len(text.encode("utf-8", "surrogateescape")) > ARGUMENT_LIMIT or (request.mode == "exec" and text == "-"):
        return ("-", text, False) if request.mode == "exec" else ("", None, True)
    if "--" in split_arguments(request.agent_args) or not (text.startswith("-") or SUBCOMMAND_LIKE.match(text)):
        return quote_posix(text), None, False
    return "-- " + quote_posix(text), None, False


def _supported_arguments(request: AgentLaunch, facts: Facts, notes: list[str]) -> str:
    """Return the user's arguments, with a removed `--full-auto` replaced by its meaning."""
    args = request.agent_args.strip()
    if not has_flag(args, FULL_AUTO) or _supports(facts, request.mode, FULL_AUTO):
        return args
    replacement = WORKSPACE_WRITE if request.mode == "exec" else f"{WORKSPACE_WRITE} -a on-request"
    notes += _replacement_note(facts, request.mode, replacement)
    return re.sub(r"(?<!\S)--full-auto(?:=\S+)?(?!\S)", replacement, args)


def _replacement_note(facts: Facts, mode: str, replacement: str) -> tuple[str, ...]:
    """Return the note that --full-auto is replaced; none where it is not known to be missing."""
    page = "exec --help" if mode == "exec" else "--help"
    if page in facts.unanswered or not facts.version:
        return ()
    return (f"codex {facts.version} has no {FULL_AUTO}: {replacement} is used instead",)


def _common_flags(request: AgentLaunch, args: str, notes: list[str]) -> list[str]:
    flags: list[str] = []
    if not sets_config(args, "check_for_update_on_startup"):
        flags.append("-c check_for_update_on_startup=false")
    if request.trust and request.project_root and not sets_config(args, "projects"):
        # the path is in the value: a dotted key would be split at the dots of a path
        table = f'projects={{{toml_string(request.project_root)}={{trust_level="trusted"}}}}'
        flags.append("-c " + quote_posix(table))
        notes.append(f"codex trusts {request.project_root} for this run, as --trust asked")
    return flags


def _tool_flags(request: AgentLaunch, facts: Facts, args: str, notes: list[str]) -> list[str]:
    """Keep the PATH for the tools of a nested run: a login shell, codex's default for them, sets its own."""
    if not request.nested:
        return []
    if sets_config(args, "allow_login_shell") or not title.is_known_version(facts):
        notes.append(
            "codex may run its tools in a login shell, which sets its own PATH; lisa session preflight tests "
            "that it finds lisa (login_shell)"
        )
        return []
    notes.append("codex runs its tools without a login shell, so that they find lisa on PATH")
    return ["-c allow_login_shell=false"]


def _mode_flags(request: AgentLaunch, facts: Facts, args: str) -> list[str]:
    if request.mode == "exec":
        return [] if has_flag(args, SKIP_REPO_CHECK_FLAG) else [SKIP_REPO_CHECK_FLAG]
    flags: list[str] = []
    if not any(has_flag(args, flag) for flag in ("--no-daemon", "--remote")):
        if "--no-daemon" in facts.flags:
            flags.append("--no-daemon")
        elif not sets_config(args, "features.daemon_auto_start"):
            flags.append("-c features.daemon_auto_start=false")
    if (setting := title.title_setting(facts)) and not sets_config(args, "tui.terminal_title"):
        flags.append("-c " + quote_posix(setting))
    if request.main_screen and "--no-alt-screen" in facts.flags and not has_flag(args, "--no-alt-screen"):
        flags.append("--no-alt-screen")
    return flags


def _sandbox_flags(request: AgentLaunch, facts: Facts, args: str, notes: list[str]) -> str:
    """Return the sandbox of a run, unless it is lifted or the user chose one."""
    chosen = _chooses_sandbox(request, args)
    if mode := options.mode_flags(request, chosen=chosen):
        return mode
    if request.mode != "exec" or chosen:
        return ""
    if _supports(facts, "exec", FULL_AUTO):
        return FULL_AUTO
    notes += _replacement_note(facts, "exec", WORKSPACE_WRITE)
    return WORKSPACE_WRITE


def _describe_commits(request: AgentLaunch, args: str) -> tuple[str, ...]:
    """Return the note about who commits in a worktree; none if no sandbox keeps the git folder read-only."""
    lifted = any(has_flag(args, flag) for flag in (BYPASS, "--yolo")) or _UNCONFINED in args
    if not request.worktree or request.bypass or lifted:
        return ()
    asks = "" if request.mode == "exec" else "approve its request to (lisa session approve), or "
    return (f"codex cannot commit in its sandbox: {asks}commit for it: {build_commit_line(request.worktree)}",)


def _chooses_sandbox(request: AgentLaunch, args: str) -> bool:
    """Return True if the sandbox is lifted, or chosen by the user's arguments."""
    return request.bypass or any(has_option(args, flag) for flag in _SANDBOX_FLAGS) or sets_config(args, "sandbox_mode")


def _supports(facts: Facts, mode: str, flag: str) -> bool:
    return (f"exec {flag}" if mode == "exec" else flag) in facts.flags
