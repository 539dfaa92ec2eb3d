"""Show the commands that continue from a checkpoint; none is run."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.advice import examine, replay
from lisa_py.core.advice.given import Inputs
from lisa_py.core.advice.replay import Step
from lisa_py.core.context import Context
from lisa_py.store.places import Place


class Args(Struct, kw_only=True):
    from_checkpoint: Annotated[
        str, Flag(help="the checkpoint; `-` is standard input, also for what checkpoint prints", metavar="PATH")
    ]
    project_root: ProjectRoot = ""


class Replayed(Struct, frozen=True, kw_only=True, rename="camel"):
    ok: bool
    session: str
    project_root: str
    checkpoint: str
    session_state: str
    next_action: str
    deterministic_id: str
    steps: tuple[Step, ...]


def run(args: Args, ctx: Context) -> Replayed:
    found, file = replay.load(Inputs(ctx), args.from_checkpoint.strip())
    project = ctx.project(args.project_root or found.project_root)
    return Replayed(
        ok=True,
        session=found.session,
        project_root=project.root,
        checkpoint=file if file == "-" else os.path.abspath(os.path.join(ctx.cwd, os.path.expanduser(file))),
        session_state=found.session_state,
        next_action=found.next_action,
        deterministic_id=found.deterministic_id,
        steps=replay.steps(found, examine.patient(ctx, Place(project, found.session))),
    )


def text(answer: Replayed, args: Args) -> str:
    return "\n".join(step.command for step in answer.steps)


COMMAND = Command(
    args=Args,
    answer=Replayed,
    run=run,
    text=text,
    errors={
        "checkpoint_read_failed": "the checkpoint cannot be read, is not JSON or names no session",
    },
    example="lisa session checkpoint save --session lisa-demo-1 --file /tmp/c.json --json |\n"
    "  lisa session replay --from-checkpoint - --json",
)
