"""Environment of a session: the caller's, without variables of the caller's terminal, plus those of the session."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import lisa_py
from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.quoting import quote_posix
from lisa_py.contract.session_settings import VARIABLE_NAME
from lisa_py.contract.tool_decisions import ToolDecision
from lisa_py.core.context import Context
from lisa_py.core.guard import session_rules
from lisa_py.core.guard.session_rules import SessionRules, ToolRules
from lisa_py.host import files
from lisa_py.host.env import API_KEY_VARIABLE, ROUTING_VARIABLES, Settings
from lisa_py.store.paths import SessionRef

_TMUX_VARIABLES = ("TMUX", "TMUX_PANE")
_TERMINAL_VARIABLES = (
    *("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "COLUMNS", "LINES", "WINDOWID", "STY"),
    *("VTE_VERSION", "KITTY_PID", "KITTY_WINDOW_ID", "ITERM_PROFILE", "ITERM_SESSION_ID", "WEZTERM_PANE", "WT_SESSION"),
)
"""Variables of the caller's terminal; the pane is another one."""
_SHELL_VARIABLES = (
    *("PWD", "OLDPWD", "SHLVL", "_", "IFS", "OPTIND", "OPTARG", "PPID", "UID", "EUID"),
    *("BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"),
)
"""Variables that shells set themselves; some shells exit when given one of them."""
_SERVER_DEFAULTS = ("TERM", "LC_CTYPE")
"""Variables the pane keeps from the tmux server if the caller has none."""


def inherit_environment(ctx: Context) -> dict[str, str]:
    """Return the caller's variables for a session, without names that no shell can export."""
    known = [agents.get(name) for name in agents.names()]
    agent_variables = {variable for agent in known for variable in agent.session_variables}
    token_variables = {_token_variable(agent) for agent in known}
    excluded = {
        *ROUTING_VARIABLES,
        *_TMUX_VARIABLES,
        *_TERMINAL_VARIABLES,
        *_SHELL_VARIABLES,
        API_KEY_VARIABLE,
        *agent_variables,
        *token_variables,
    }
    kept = {
        name: value
        for name, value in ctx.settings.environ.items()
        if name not in excluded and VARIABLE_NAME.match(name) is not None
    }
    for name, folder in (
        ("LISA_STATE_DIR", ctx.settings.state_dir),
        ("LISA_TMUX_SOCKET_DIR", ctx.settings.tmux_socket_dir),
        ("LISA_SHARED_DIR", ctx.settings.shared_dir),
    ):
        if kept.get(name):
            kept[name] = folder  # absolute: the session may call lisa from anywhere
    return kept


def read_agent_token(ctx: Context, agent: Agent) -> dict[str, str]:
    """Return a token that the caller passes for this agent alone, under lisa's own name for it."""
    value = ctx.settings.get(_token_variable(agent)) if agent.oauth_variable else ""
    return {agent.oauth_variable: value} if value else {}


def _token_variable(agent: Agent) -> str:
    return f"LISA_{agent.oauth_variable}" if agent.oauth_variable else ""


def routing_variables(ref: SessionRef, *, agent: str, mode: str, run_id: str, socket: str) -> dict[str, str]:
    """Return the variables that describe the session, for lisa inside it and for hooks."""
    return {
        "LISA_SESSION": "true",
        "LISA_SESSION_NAME": ref.session,
        "LISA_AGENT": agent,
        "LISA_MODE": mode,
        "LISA_PROJECT_ROOT": ref.project.root,
        "LISA_TMUX_SOCKET": socket,
        "LISA_PROJECT_HASH": ref.project.hash,
        "LISA_HEARTBEAT_FILE": ref.heartbeat,
        "LISA_DONE_FILE": ref.done,
        "LISA_RUN_ID": run_id,
        "LISA_SESSION_DIR": ref.folder,
    }


def build_python_command(code: str, *arguments: str, isolation: str = "-P") -> str:
    """Return shell text that runs Python code with this lisa, whatever PATH and the current folder are."""
    return " ".join(map(quote_posix, python_words(code, *arguments, isolation=isolation)))


def python_words(code: str, *arguments: str, isolation: str = "-P") -> tuple[str, ...]:
    """Return the words of the command line that `build_python_command` quotes."""
    above = os.path.dirname(os.path.dirname(lisa_py.__file__))
    return sys.executable, isolation, "-c", f"import sys; sys.path.insert(0, {above!r}); {code}", *arguments


def launcher_script() -> str:
    """Return a launcher script for this lisa that does not depend on PATH or the current folder."""
    return f'#!/bin/sh\nexec {build_python_command("from lisa_py.cli.start import entry; entry()")} "$@"\n'


def rule_script(agent: Agent, event: str, path: str, setup: SessionRules) -> str:
    """Return a program that decides a tool call on its standard input by the rules of a session and of the user.

    Where they cannot be evaluated, it denies the tools that the session denies, also those of which it denies only some
    calls; where the user has rules, every other call is asked about. Without any rule it costs no Python.
    """
    code = "from lisa_py.pane.rule import main; main(sys.argv[1:])"
    decide = build_python_command(code, agent.name, event, path, isolation="-I")
    rules = setup.rules
    can_allow = bool(agent.format_rule_answer(event, "allow", ""))
    file = quote_posix(setup.approvals)
    lines = [f"[ -e {file} ] || [ -L {file} ] || exit 0"] if setup.approvals else []
    if rules.denied or (can_allow and rules.allowed):
        lines = []
    lines += [
        "call=$(cat)",
        f"said=$(printf '%s' \"$call\" | {decide})",
        "code=$?",
        "case $code in 0 | 3) printf '%s' \"$said\"; exit $code ;; esac",
    ]
    if rules.denied:
        lines += ["case $call in", *_deny_cases(agent, event, rules), "esac"]
    if setup.approvals:
        lines += _ask_lines(agent, event, setup, file)
    return "\n".join(lines) + "\n"


def closed_script(agent: Agent, path: str) -> str:
    """Return a program that records the answer to a dialog in the pane; its argument is the event that shows it."""
    code = "from lisa_py.pane.rule import main; main(sys.argv[1:])"
    return f'exec {build_python_command(code, agent.name, "closed", path, isolation="-I")} "$1"\n'


def _deny_cases(agent: Agent, event: str, rules: ToolRules) -> list[str]:
    cases = []
    for name in session_rules.list_denied_tools(rules, agent.tool_aliases):
        reason = f"the rules of this session cannot be evaluated, and they deny {name}; nothing was run"
        answer = agent.format_rule_answer(event, "deny", reason)
        ends = ('"', "__") if name.startswith("mcp__") else ('"',)
        keys = [f'"tool_name":{space}"{name}{end}' for space in ("", " ") for end in ends]
        shown = f"printf '%s\\n' {quote_posix(answer)}; exit 0"
        cases.append(f"{' | '.join(f'*{quote_posix(key)}*' for key in keys)}) {shown} ;;")
    return cases


def _ask_lines(agent: Agent, event: str, setup: SessionRules, file: str) -> list[str]:
    """Return the lines that ask about a call, or deny it where no dialog can open, if the user has rules."""
    decision: ToolDecision = "ask" if setup.rules.can_ask else "deny"
    answer = agent.format_rule_answer(event, decision, f"the rules in {setup.approvals} cannot be evaluated")
    if not answer:
        return []
    code = 3 if decision == "ask" and agent.asks_by_rule else 0
    return [f"{{ [ -e {file} ] || [ -L {file} ]; }} && printf '%s\\n' {quote_posix(answer)} && exit {code}", "exit 0"]


def after_end_script(settings: Settings, root: str) -> str:
    """Return the shell line that starts the requests waiting for the end of a session, with lisa's own variables."""
    code = "from lisa_py.core.lifecycle import start_session; start_session.start_waiting_of(sys.argv[1])"
    variables = {
        "HOME": settings.home,
        "PATH": settings.environ.get("PATH", os.defpath),
        "TMPDIR": settings.temp_dir,
        "LISA_STATE_DIR": settings.state_dir,
        "LISA_TMUX_SOCKET_DIR": settings.tmux_socket_dir,
        "LISA_SHARED_DIR": settings.shared_dir,
    }
    words = [quote_posix(f"{name}={value}") for name, value in variables.items()]
    return f"exec env -i {' '.join(words)} {build_python_command(code, root)}\n"


def build_script(variables: Mapping[str, str], server: Mapping[str, str]) -> str:
    """Return shell text that turns the environment of the tmux server into that of the session."""
    unset = [*_TMUX_VARIABLES, *(name for name in server if name not in variables and name not in _SERVER_DEFAULTS)]
    lines = [f"umask {files.read_umask():04o}", *(f"unset {name}" for name in unset)]
    lines += [f"export {name}={quote_posix(value)}" for name, value in variables.items()]
    return "\n".join(lines) + "\n"
