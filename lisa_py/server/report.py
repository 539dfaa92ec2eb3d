"""Print the state of the running server, and the variables of its clients."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lisa_py.commands.serve import ServerReport
from lisa_py.store.server_files import ServerAddress, ServerKeys


def build_client_environment(address: ServerAddress, keys: ServerKeys, scope: str, oid: str) -> dict[str, str]:
    """Return the variables with which the limacharlie client uses this server."""
    return {
        "LC_API_URL": address.url,
        "LC_JWT_URL": f"{address.url}/jwt",
        "LC_OID": oid,
        "LC_API_KEY": keys.read if scope == "read" else keys.control,
        "LC_EPHEMERAL_CREDS": "1",
    }


def print_report(report: ServerReport | Mapping[str, str]) -> None:
    """Print JSON, or NAME=value lines of variables."""
    if isinstance(report, ServerReport):
        print(msgspec.json.encode(report).decode())
        return
    for name, value in report.items():
        print(f"{name}={value}")
