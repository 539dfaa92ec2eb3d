"""Build a send request from the flags of a command: exactly one input, or an error."""

from __future__ import annotations

from typing import Protocol

from lisa_py.contract.errors import UsageError
from lisa_py.core.context import Context
from lisa_py.core.send import input_text
from lisa_py.core.send.send import SendPayload


class SendFlags(Protocol):
    """The flags of a command that sends to a session."""

    text: str
    text_file: str
    keys: str
    answer: str
    enter: bool
    force: bool
    replace_draft: bool


def build_payload(ctx: Context, flags: SendFlags) -> SendPayload:
    """Return the request. Raise UsageError: empty_keys, missing_send_payload, send_payload_conflict; LisaError:
    invalid_text_file."""
    if flags.keys and not flags.keys.split():
        raise UsageError("empty_keys", "--keys is empty; separate key names with spaces, as in `C-c Enter`")
    answer = flags.answer.strip()
    wanted = {"--text": flags.text, "--text-file": flags.text_file, "--keys": flags.keys, "--answer": answer}
    given = [flag for flag, value in wanted.items() if value]
    if len(given) > 1:
        raise UsageError("send_payload_conflict", f"give one of {', '.join(given)}, not {len(given)} of them")
    if not given:
        raise UsageError("missing_send_payload", "nothing to send: give --text, --text-file, --keys or --answer")
    return SendPayload(
        text=input_text.read_text_file(ctx, flags.text_file, "text-file") if flags.text_file else flags.text,
        keys=tuple(flags.keys.split()),
        answer=answer,
        enter=flags.enter,
        force=flags.force,
        replace_draft=flags.replace_draft,
    )


ERRORS = (
    "missing_send_payload",
    "send_payload_conflict",
    "empty_keys",
    "invalid_text_file",
    "invalid_answer",
)
"""Error codes of the flags for commands that send."""
