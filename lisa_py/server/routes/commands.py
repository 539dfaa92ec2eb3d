"""Every command of the command line by its name: `POST /commands/session/status`."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from lisa_py import dispatch
from lisa_py.contract.errors import LisaError
from lisa_py.contract.peer import PeerRequest
from lisa_py.server import bodies
from lisa_py.server.command_response import CommandResponse
from lisa_py.server.openapi import LINES
from lisa_py.server.route import RestCall, Route


def run_command(call: RestCall) -> Response:
    """Run the command of the path with the JSON object of the body. Raise LisaError of the command."""
    name = call.path["name"].replace("/", " ")
    command = dispatch.find_command(name)
    if call.caller.scope != "control" and not command.reads:
        raise LisaError("forbidden", f"the token may only read; {name} needs one of scope control")
    given = bodies.parse_object(call.raw)
    stdin = given.pop("stdin", "") if isinstance(given.get("stdin"), str) else ""
    if stdin and any(field.name == "stdin" for field in command.fields):
        given["stdin"] = True  # the flag of `oauth add`
    built = dispatch.build_call(name, given)
    acting = [field.spelling for field in command.fields if field.flag.acts and field.name in built.given]
    if call.caller.scope != "control" and acting:
        raise LisaError("forbidden", f"the token may only read; {acting[0]} needs one of scope control")
    form = call.query.get("format", "json")
    if form not in dispatch.FORMATS:
        raise LisaError("invalid_request", f"invalid format: {form} (expected {' or '.join(dispatch.FORMATS)})")
    return CommandResponse(
        call.server,
        PeerRequest(command=name, args=given, format=form, stdin=stdin),
        cwd=call.root or call.server.cwd,
        as_lines=LINES in call.headers.get("accept", ""),
    )


ROUTES = (
    Route(
        method="POST", path="/commands/{name:path}", summary="Run a command of lisa with its flags as JSON",
        run=run_command, answer=dict[str, Any], tag="commands", takes_form=True, query=("format",),
    ),
)  # fmt: skip
