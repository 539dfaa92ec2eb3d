"""Settings of a session as flags, files and variables of claude."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from lisa_py.agents._claude import home
from lisa_py.agents.launch import AgentLaunch, Facts, secret_path
from lisa_py.contract import jsontext
from lisa_py.contract.quoting import quote, quote_posix
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.host import files

OAUTH_KEY = "sk-ant-oat"
"""Beginning of a token of a subscription, which is not an API key."""
_HEADERS_KEPT = (2, 1, 332)
"""A version that logs no header of an MCP server; 2.1.197 logs all but Authorization."""
_PROMPT_FILES = (2, 1, 197)
"""The oldest version that was seen to take --append-system-prompt-file."""
_KEY_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
_CLOUD_VARIABLES = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "AWS_BEARER_TOKEN_BEDROCK")
_BEDROCK = {
    "region": "AWS_REGION",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "bearer_token": "AWS_BEARER_TOKEN_BEDROCK",
}
_VERTEX = {"project_id": "ANTHROPIC_VERTEX_PROJECT_ID", "region": "CLOUD_ML_REGION"}
_KEY_NAMES = ("api_key", "anthropic_key", "anthropic_api_key", "oauth_token", "token", "key")
_FOREIGN_KEY = "sk-proj-"
"""Start of the keys of OpenAI, which claude would send to Anthropic."""


class ClaudeOptions(Struct, kw_only=True):
    """Parts of a start that follow from the settings."""

    words: list[str] = field(default_factory=list)
    """Flags on the command line, also on the one for users."""
    hidden: list[str] = field(default_factory=list)
    """Flags that name files of lisa."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of claude's own settings file."""
    env: dict[str, str] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    secret_files: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def user_words(request: AgentLaunch) -> list[str]:
    """Return the flags of the settings on the line for users, besides the permission mode."""
    settings = request.settings
    words = []
    for flag, tools in (("--allowedTools", settings.allowed_tools), ("--disallowedTools", settings.denied_tools)):
        words += [flag, *(quote(tool) for tool in tools)] if tools else []
    return [*words, "--model", quote(request.model)] if request.model else words


def build_options(request: AgentLaunch, facts: Facts) -> ClaudeOptions:
    """Return the parts of a start for the installed version."""
    options = ClaudeOptions(words=user_words(request))
    _add_system_prompt(options, request, facts)
    _add_mcp_servers(options, request, facts)
    _add_credentials(options, request, facts)
    _add_plugins(options, request, facts)
    return options


def _describe_missing(setting: str, facts: Facts, flag: str) -> str:
    return f"{setting} is not applied: claude {facts.version or 'of an unknown version'} has no {flag}"


def _add_system_prompt(options: ClaudeOptions, request: AgentLaunch, facts: Facts) -> None:
    text = request.settings.system_prompt
    if not text:
        return
    if "--append-system-prompt" not in facts.flags:
        options.warnings.append(_describe_missing("system_prompt", facts, "--append-system-prompt"))
        return
    if _read_version(facts) < _PROMPT_FILES:
        options.hidden += ["--append-system-prompt", quote_posix(text)]
        return
    # from a file: a command line is limited, and others can read it
    options.files["system-prompt.txt"] = text
    options.hidden += ["--append-system-prompt-file", quote_posix(os.path.join(request.folder, "system-prompt.txt"))]


def _add_mcp_servers(options: ClaudeOptions, request: AgentLaunch, facts: Facts) -> None:
    servers = request.settings.mcp_servers
    if not servers:
        return
    if "--mcp-config" not in facts.flags:
        options.warnings.append(_describe_missing("mcp_servers", facts, "--mcp-config"))
        return
    logged = [
        name for name, server in servers.items() if set(map(str.lower, server.get("headers", ()))) - {"authorization"}
    ]
    if logged and _read_version(facts) < _HEADERS_KEPT:
        listed = ", ".join(logged)
        options.warnings.append(
            f"claude {facts.version} may write headers of {listed} other than Authorization to its log"
        )
    options.secret_files["mcp.json"] = jsontext.encode_exact(
        {"mcpServers": {name: _complete(servers[name]) for name in servers}}
    )
    options.hidden += ["--mcp-config", quote_posix(secret_path(request, "mcp.json"))]


def _read_version(facts: Facts) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", facts.version)[:3])


def _complete(server: Mapping[str, Any]) -> dict[str, Any]:
    """Return a server with its type, which claude needs for all but stdio."""
    return {"type": "stdio" if "command" in server else "http", **server}


def _add_credentials(options: ClaudeOptions, request: AgentLaunch, facts: Facts) -> None:
    """Hand over the key of this session; keys that the agent would inherit must not win."""
    given = request.settings.credentials or {}
    auth = given.get("auth", "")
    if auth == "bedrock":
        options.env |= {"CLAUDE_CODE_USE_BEDROCK": "1", **_rename(given, _BEDROCK)}
    elif auth == "vertex":
        options.env |= {"CLAUDE_CODE_USE_VERTEX": "1", **_rename(given, _VERTEX)}
        if account := given.get("service_account_json"):
            options.secret_files["vertex.json"] = account
            options.env["GOOGLE_APPLICATION_CREDENTIALS"] = secret_path(request, "vertex.json")
    elif (key := _read_key(request.settings)) and key.startswith(_FOREIGN_KEY) and not given.get("base_url"):
        options.warnings.append("credentials is not applied: the key is one of OpenAI; claude takes one of Anthropic")
        return
    elif key:
        _add_key(options, request, facts, key)
    elif given:
        options.warnings.append(f"credentials is not applied: it has none of {', '.join(_KEY_NAMES)}")
        return
    if given:
        options.unset += [name for name in (*_KEY_VARIABLES, *_CLOUD_VARIABLES) if name not in options.env]


def _add_key(options: ClaudeOptions, request: AgentLaunch, facts: Facts, key: str) -> None:
    """Add a key by a helper that reads a file: ANTHROPIC_API_KEY opens a dialog, with No selected (2.1.332)."""
    given = request.settings.credentials or {}
    if base := given.get("base_url"):
        options.env["ANTHROPIC_BASE_URL"] = base
    if key.startswith(OAUTH_KEY):
        options.env["CLAUDE_CODE_OAUTH_TOKEN"] = key
    elif "--settings" in facts.flags:
        options.secret_files["api-key"] = key
        options.settings["apiKeyHelper"] = f"cat {quote_posix(secret_path(request, 'api-key'))}"
    else:
        options.env["ANTHROPIC_API_KEY"] = key


def _read_key(settings: SessionSettings) -> str:
    """Return the key among the credentials; empty if none."""
    given = settings.credentials or {}
    return next((given[name] for name in _KEY_NAMES if given.get(name)), "")


def _rename(given: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {names[key]: value for key, value in given.items() if key in names and value}


def _add_plugins(options: ClaudeOptions, request: AgentLaunch, facts: Facts) -> None:
    """Load plugins from folders, enable installed ones; a skill of that name needs nothing."""
    installed = home.read_json_object(
        os.path.join(home.config_folder(request.environ), "plugins/installed_plugins.json")
    )
    known = installed.get("plugins")
    names = list(known) if isinstance(known, dict) else []
    for plugin in request.settings.plugins or ():
        folder = os.path.join(request.project_root, os.path.expanduser(plugin))
        full = next((name for name in names if plugin in (name, name.partition("@")[0])), "")
        if os.sep in plugin and files.is_dir(folder) and "--plugin-dir" in facts.flags:
            options.words += ["--plugin-dir", quote(folder)]
        elif full:
            options.settings.setdefault("enabledPlugins", {})[full] = True
        elif not _is_skill(request, plugin):
            options.warnings.append(f"unknown_plugin: claude has no plugin or skill named {plugin}")


def _is_skill(request: AgentLaunch, name: str) -> bool:
    folders = (home.config_folder(request.environ), os.path.join(request.project_root, ".claude"))
    return any(files.is_dir(os.path.join(folder, "skills", name)) for folder in folders)
