"""Login of claude: the screen of `claude setup-token`, and the traces of a login of the user."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from lisa_py.agents._claude import home
from lisa_py.agents.base import LoginScreen

_URL = re.compile(r"https://\S+/oauth/\S+")
_TOKEN = re.compile(r"\bsk-ant-oat\w\w-[\w-]{8,}")
_OTHER_ACCESS = (
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
)
"""Variables with a token, or for models of another provider."""
_ERROR = re.compile(r"OAuth error: (.+)")


def read_login_screen(screen: str) -> LoginScreen:
    """Return what `claude setup-token` shows (2.1.197 to 2.1.332)."""
    token, error, url = _TOKEN.search(screen), _ERROR.search(screen), _URL.search(screen)
    return LoginScreen(
        url=url[0] if url else "", token=token[0] if token else "", error=error[1].strip() if error else ""
    )


def find_login(environ: Mapping[str, str]) -> str:
    """Return the kind of credential that claude itself has: oauth_token, apikey or empty."""
    if any(environ.get(name) for name in _OTHER_ACCESS):
        return "oauth_token"
    account = home.read_json_object(os.path.join(home.config_folder(environ), ".credentials.json"))
    config = home.read_json_object(home.config_file(environ))
    if account.get("claudeAiOauth") or config.get("oauthAccount"):
        return "oauth_token"
    own = home.read_json_object(os.path.join(home.config_folder(environ), "settings.json"))
    variables = own.get("env")
    if isinstance(variables, dict) and not {"ANTHROPIC_API_KEY", *_OTHER_ACCESS}.isdisjoint(variables):
        return "apikey"
    return "apikey" if config.get("primaryApiKey") or own.get("apiKeyHelper") else ""
