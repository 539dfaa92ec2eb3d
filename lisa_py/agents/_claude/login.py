"""Login of claude: the screen of `claude setup-token`, and the traces of a login of the user."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from lisa_py.agents._claude import home
from lisa_py.agents.base import LoginScreen

_URL = re.compile(r"https://\S+/oauth/\S+")
_TOKEN = re.compile(r"\bsk-ant-oat\w\w-[\w-]{8,}")
_ERROR = re.compile(r"OAuth error: (.+)")


def read_login_screen(screen: str) -> LoginScreen:
    """Return what `claude setup-token` shows (2.1.197 to 2.1.332)."""
    token, error, url = _TOKEN.search(screen), _ERROR.search(screen), _URL.search(screen)
    return LoginScreen(
        url=url[0] if url else "", token=token[0] if token else "", error=error[1].strip() if error else ""
    )


def find_login(environ: Mapping[str, str]) -> str:
    """Return the kind of credential that claude itself has: oauth_token, apikey or empty."""
    account = home.read_json_object(os.path.join(home.config_folder(environ), ".credentials.json"))
    config = home.read_json_object(home.config_file(environ))
    if account.get("claudeAiOauth") or config.get("oauthAccount"):
        return "oauth_token"
    own = home.read_json_object(os.path.join(home.config_folder(environ), "settings.json"))
    return "apikey" if config.get("primaryApiKey") or own.get("apiKeyHelper") else ""
