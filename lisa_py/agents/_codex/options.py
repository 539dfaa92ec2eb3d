"""Settings of a session as flags, files and variables of codex."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from lisa_py.agents._codex import session
from lisa_py.agents._codex.arguments import sets_config, toml_string
from lisa_py.agents.launch import AgentLaunch, Facts, secret_path
from lisa_py.contract.quoting import quote_posix
from lisa_py.host import files

PROVIDER = "lisa"
"""Name of the provider for a key: codex's own one asks an interactive session to log in (0.171)."""
KEY_VARIABLE = "OPENAI_API_KEY"
_FOREIGN_KEY = "sk-ant-"
"""Start of the keys of Anthropic, which codex would send to OpenAI."""
_OPENAI_URL = "https://api.openai.com/v1"
_VARIABLES = {"org_id": "OPENAI_ORGANIZATION", "project_id": "OPENAI_PROJECT"}
_SANDBOXES = {"acceptEdits": "workspace-write", "plan": "read-only"}
_CLAUDE_MODELS = ("opus", "sonnet", "haiku", "claude")
_PROMPT_LIMIT = 60_000
"""Bytes of a system prompt, which is an argument."""


class CodexOptions(Struct, kw_only=True):
    """Parts of a start that follow from the settings."""

    flags: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    secret_files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def apply_mode(request: AgentLaunch) -> AgentLaunch:
    """Return the request with the bypass that its permission mode asks for or excludes."""
    mode = request.settings.permission_mode
    if not mode:
        return request
    return msgspec.structs.replace(request, bypass=mode == "bypassPermissions")


def mode_flags(request: AgentLaunch, *, chosen: bool) -> str:
    """Return the sandbox and approval policy nearest to the permission mode, unless the user's arguments choose."""
    sandbox = _SANDBOXES.get(request.settings.permission_mode or "", "")
    if not sandbox or chosen:
        return ""
    return f"-s {sandbox}" if request.mode == "exec" else f"-s {sandbox} -a on-request"


def choose_model(request: AgentLaunch) -> tuple[str, tuple[str, ...]]:
    """Return the model, and a warning instead of one that only claude has."""
    if request.model.startswith(_CLAUDE_MODELS):
        return "", (f"model is not applied: codex has no model {request.model}; it uses its own default",)
    return request.model, ()


SERVER_OPTIONS: Mapping[str, Any] = {
    "required": True,  # else the first turn does not wait for the server, and has no tools
    "startup_timeout_sec": 30,
    "tool_timeout_sec": 3600,  # 60 by default, shorter than a wait
    "default_tools_approval_mode": "approve",
}
"""Keys of a server whose tools the first turn needs."""


def build_options(request: AgentLaunch, facts: Facts) -> CodexOptions:
    """Return the parts of a start for the installed version."""
    options = CodexOptions()
    if request.settings.permission_mode == "plan":
        options.notes.append("codex has no permission mode plan: it gets a read-only sandbox and asks for more")
    _add_system_prompt(options, request)
    for at, (name, server) in enumerate((request.settings.mcp_servers or {}).items()):
        _add_server(options, request, at, name, server)
    _add_credentials(options, request)
    _keep_variables_private(options, request)
    for plugin in request.settings.plugins or ():
        if not _is_skill(request, plugin):
            options.warnings.append(f"unknown_plugin: codex has no skill named {plugin}")
    return options


def describe_unruled(request: AgentLaunch, events: Sequence[str]) -> tuple[str, ...]:
    """Return the warnings for rules that no hook of this start can apply."""
    never_asks = request.mode == "exec"
    missing = "this version of codex has no hook for it"
    needed = (
        ("allowed_tools", "PermissionRequest", "a run of codex never asks" if never_asks else missing),
        ("denied_tools", "PreToolUse", missing),
    )
    return tuple(
        f"{rule} is not applied: {reason}"
        for rule, event, reason in needed
        if getattr(request.settings, rule) and event not in events
    )


def _add_system_prompt(options: CodexOptions, request: AgentLaunch) -> None:
    text = request.settings.system_prompt
    if not text:
        return
    if sets_config(request.agent_args, "developer_instructions"):
        options.warnings.append("system_prompt is not applied: --agent-args set developer_instructions")
    elif len(text.encode()) > _PROMPT_LIMIT:
        options.warnings.append(f"system_prompt is not applied: it has more than {_PROMPT_LIMIT} bytes")
    else:
        options.flags.append(_config(f"developer_instructions={toml_string(text)}"))


def _config(setting: str) -> str:
    return "-c " + quote_posix(setting)


def _add_server(options: CodexOptions, request: AgentLaunch, at: int, name: str, server: Mapping[str, Any]) -> None:
    """Add an MCP server whose secret values are in a private file or in variables, not on the command line."""
    kind = server.get("type") or ("stdio" if "command" in server else "http")
    if kind == "sse":
        options.warnings.append(f"mcp_servers is not applied: codex has no servers of type sse ({name})")
        return
    if kind == "stdio":
        table = _stdio_table(options, request, at, server)
    else:
        headers = {}
        for key, value in (server.get("headers") or {}).items():
            variable = f"MCP_SECRET_{len(options.env)}"
            options.env[variable] = value
            headers[key] = variable
        table = {"url": server["url"], **({"env_http_headers": headers} if headers else {})}
    table |= {key: server[key] for key in SERVER_OPTIONS if key in server}
    options.flags.append(_config(f"mcp_servers.{toml_string(name) if '.' in name else name}={to_toml(table)}"))


def _stdio_table(options: CodexOptions, request: AgentLaunch, at: int, server: Mapping[str, Any]) -> dict[str, Any]:
    words = [server["command"], *server.get("args", ())]
    variables = server.get("env") or {}
    if not variables:
        return {"command": words[0], "args": words[1:]}
    file = f"mcp-{at}.env"
    exports = "".join(f"export {name}={quote_posix(value)}\n" for name, value in variables.items())
    options.secret_files[file] = exports
    start = f'. {quote_posix(secret_path(request, file))} && exec "$0" "$@"'
    return {"command": "/bin/sh", "args": ["-c", start, *words]}


def _add_credentials(options: CodexOptions, request: AgentLaunch) -> None:
    """Hand over a key as a variable of a provider of lisa's own."""
    given = request.settings.credentials or {}
    if not given:
        return
    key = next((given[name] for name in ("api_key", "openai_key", "openai_api_key", "key") if given.get(name)), "")
    is_foreign = key.startswith(_FOREIGN_KEY) and not given.get("base_url") and not given.get("endpoint")
    if not key or is_foreign or given.get("auth") in ("bedrock", "vertex"):
        options.warnings.append("credentials is not applied: codex takes an api_key of OpenAI or Azure")
        return
    options.env |= {KEY_VARIABLE: key, "CODEX_API_KEY": key}
    options.env |= {_VARIABLES[name]: value for name, value in given.items() if name in _VARIABLES and value}
    if sets_config(request.agent_args, "model_provider"):
        return
    table: dict[str, Any] = {"name": "OpenAI", "base_url": given.get("base_url") or _OPENAI_URL}
    if endpoint := given.get("endpoint"):
        table |= {"name": "Azure", "base_url": endpoint.rstrip("/") + "/openai/v1"}
        if version := given.get("api_version"):
            table["query_params"] = {"api-version": version}
    table |= {"env_key": KEY_VARIABLE, "wire_api": "responses"}
    headers = {"OpenAI-Organization": "OPENAI_ORGANIZATION", "OpenAI-Project": "OPENAI_PROJECT"}
    table["env_http_headers"] = headers
    options.flags += [_config(f"model_providers.{PROVIDER}={to_toml(table)}"), f"-c model_provider={PROVIDER}"]


def _keep_variables_private(options: CodexOptions, request: AgentLaunch) -> None:
    """Switch off the snapshot of the shell: codex writes every variable into a file of its home (0.171)."""
    given = options.env or request.settings.environment or request.secrets
    if given and not sets_config(request.agent_args, "features.shell_snapshot"):
        options.flags.append("-c features.shell_snapshot=false")
        options.notes.append("codex makes no shell snapshot in this session: it would store the variables")


def to_toml(value: Any) -> str:
    """Return a text, a list or a table as TOML in one line."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{toml_string(key)}={to_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(to_toml, value)) + "]"
    if isinstance(value, bool | int):
        return str(value).lower()
    return toml_string(str(value))


def _is_skill(request: AgentLaunch, name: str) -> bool:
    folders = (session.config_folder(request.environ), os.path.join(request.project_root, ".agents"))
    return any(files.is_dir(os.path.join(folder, "skills", name)) for folder in folders)
