"""Add an OAuth token to the pool that claude sessions use in turn."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.store import oauth_tokens


class Args(Struct, kw_only=True):
    token: Annotated[str, Flag(help="the token; visible in the shell history, prefer --stdin")] = ""
    stdin: Annotated[bool, Flag(help="token from standard input")] = False
    from_command: Annotated[str, Flag(help="command that prints the token at every spawn")] = ""
    label: Annotated[str, Flag(help="label", metavar="WORDS")] = ""


class OauthAddResult(Answer):
    id: str
    added: bool
    count: int
    recovered: str | UnsetType = UNSET
    """Path a corrupt pool file was moved to."""


def run(args: Args, ctx: Context) -> OauthAddResult:
    token = _resolve_token(args, ctx)
    try:
        result = oauth_tokens.add(
            ctx.settings, ctx.clock.now(), token=token, command=args.from_command.strip(), label=args.label.strip()
        )
    except LisaError as problem:
        raise LisaError("oauth_add_failed", f"the token was not added: {problem.message}") from problem
    if result.recovered:
        ctx.warn(f"oauth warning: the pool file was corrupt; it was moved to {result.recovered}")
    return OauthAddResult(id=result.id, added=result.added, count=result.count, recovered=result.recovered or UNSET)


def _resolve_token(args: Args, ctx: Context) -> str:
    if sum(map(bool, (args.token.strip(), args.stdin, args.from_command.strip()))) > 1:
        raise LisaError("invalid_oauth_input", "give one of --token, --stdin and --from-command")
    if args.from_command.strip():
        return ""
    if args.token.strip():
        ctx.warn("oauth warning: --token exposes the token in `ps` and the shell history; use --stdin")
    token = _read_stdin(ctx) if args.stdin else args.token.strip()
    if not token:
        raise LisaError("missing_required_flag", "a token is required (--stdin, --token or --from-command)")
    if any(char.isspace() for char in token):
        ctx.warn("oauth warning: the token contains white space; check that it is one token")
    return token


def _read_stdin(ctx: Context) -> str:
    try:
        return ctx.stdin().decode().strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise LisaError("oauth_read_failed", f"standard input could not be read: {problem}") from problem


def text(answer: OauthAddResult, args: Args) -> str:
    return f"oauth token {'added' if answer.added else 'already present'}: {answer.id}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=OauthAddResult,
    run=run,
    text=text,
    errors=(
        "invalid_oauth_input",
        "oauth_read_failed",
        "oauth_add_failed",
    ),
    example="printf '%s' \"$CLAUDE_CODE_OAUTH_TOKEN\" | lisa oauth add --stdin --label work",
    notes="""\
Each spawn of an agent that supports tokens gets the next one, in the environment of its session only. A token that the
agent reports as refused is disabled, not deleted: `lisa oauth list --json` shows the reason; `lisa oauth enable` or
adding it again enables it.""",
)
