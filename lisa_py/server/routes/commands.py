"""Every command of the command line by its name: `POST /commands/session/status`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py import dispatch
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.server.route import ApiReply, RestCall, Route

READING = frozenset(("session status", "session list"))


class CommandAnswer(Struct, frozen=True):
    """The answer of the command, as `--json` prints it."""


def run_command(call: RestCall) -> Any:
    """Run the command of the path with the JSON object of the body. Raise LisaError of the command."""
    name = call.path["name"].replace("/", " ")
    try:
        given = jsontext.decode(call.raw) if call.raw.strip() else {}
    except msgspec.DecodeError as problem:
        raise LisaError("invalid_request", f"the body is not JSON: {problem}") from None
    if not isinstance(given, dict):
        raise LisaError("invalid_request", "the body is not a JSON object")
    built = dispatch.build_call(name, given)
    call.ctx.given_fields = built.given
    result = built.run(call.ctx)
    return ApiReply(status=200, body=result.answer)


ROUTES = (
    Route(
        method="POST", path="/commands/{name:path}", summary="Run a command of lisa with its flags as JSON",
        run=run_command, answer=CommandAnswer, scope="control", pool="commands", tag="commands", takes_form=True,
    ),
)  # fmt: skip
