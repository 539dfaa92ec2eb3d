"""Read claude's usage limits: `You've hit your session limit · resets 3pm (Europe/Berlin)`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec

from lisa_py.agents._claude import home
from lisa_py.agents.base import LimitReport

_NAME = re.compile(
    r"(?:hit|reached|exceeded) your ((?:\S+ ){0,4}?)limit\b|^\W*(?:claude )?(.{0,30}?) ?limit reached", re.I
)
_WINDOWS = {"session": "5 hours", "5-hour": "5 hours", "weekly": "7 days", "usage": "", "": ""}
"""Words of claude (2.1.332, 2.1.197) and the period that they name."""


def complete_report(report: LimitReport, text: str, environ: Mapping[str, str]) -> LimitReport:
    """Return the report with the window and the account."""
    found = _NAME.search(text)
    name = (found[1] or found[2] or "").strip() if found else ""
    window = _WINDOWS.get(name.lower(), name)
    return msgspec.structs.replace(report, window=window, account=_read_account(environ))


def _read_account(environ: Mapping[str, str]) -> str:
    """Return the address of the login that claude uses; empty with a key or token, whose account it does not name."""
    if any(environ.get(name) for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")):
        return ""
    account = home.read_json_object(os.path.join(home.config_file(environ))).get("oauthAccount")
    address = account.get("emailAddress") if isinstance(account, Mapping) else None
    return address if isinstance(address, str) else ""
