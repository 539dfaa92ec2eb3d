"""List the open dialogs of all sessions: permissions, questions and other choices."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.dialogs import OpenDialog
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.fleet import fleet_dialogs
from lisa_py.core.fleet.discover import SessionWarning


class Args(Struct, kw_only=True):
    session: Annotated[str, Flag(help="only this session", metavar="NAME", positional=True)] = ""
    all_sockets: Annotated[bool, Flag(help="sessions of all projects and sockets")] = False
    project_root: ProjectRoot = ""


class DialogsResult(Answer):
    """The open dialogs, oldest first."""

    dialogs: tuple[OpenDialog, ...]
    count: int
    warnings: tuple[SessionWarning, ...] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> DialogsResult:
    ref = ctx.ref(args.session, args.project_root) if args.session else None
    project = ref.project if ref is not None else ctx.project(args.project_root)
    found = fleet_dialogs.list_fleet_dialogs(ctx, project, ref, all_sockets=args.all_sockets)
    return DialogsResult(dialogs=found.dialogs, count=len(found.dialogs), warnings=found.warnings or UNSET)


def text(answer: DialogsResult, args: Args) -> str:
    lines: list[str] = []
    for dialog in answer.dialogs:
        lines.append(f"{dialog.session}  {dialog.kind}  {dialog.id}  {dialog.message}")
        for question in dialog.questions or ():
            options = ", ".join(f"{number}. {option.label}" for number, option in enumerate(question.options, 1))
            lines.append(f"  {question.question} {options}".rstrip())
        if not dialog.questions:
            lines += [f"  {choice.number}. {choice.text}" for choice in dialog.choices or ()]
        lines.append(f"  {dialog.answer_command}")
    return "\n".join(lines) or "no open dialogs"


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=DialogsResult,
    run=run,
    text=text,
    min=("dialogs", "count"),
    errors=("session_list_failed",),
    example="lisa session dialogs\nlisa session dialogs --session lisa-demo-1 --json",
    notes="""\
Each dialog has the id that approve, deny and answer take with --id, what the agent asks, and the command that answers
it. `way` is hook where the agent waits for a decision, and screen where the answer is pressed in its dialog.""",
)
