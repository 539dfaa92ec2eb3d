"""Show the commands that continue from a checkpoint."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.advice import target
from lisa_py.core.context import Context
from lisa_py.core.handoff import replay
from lisa_py.core.handoff.replay import ReplayStep
from lisa_py.core.inputs import Inputs
from lisa_py.store.paths import SessionRef


class Args(Struct, kw_only=True):
    from_checkpoint: Annotated[str, Flag(help="checkpoint file or output of checkpoint; `-` is stdin", metavar="PATH")]
    project_root: ProjectRoot = ""


class ReplayResult(Answer):
    ok: bool
    session: str
    project_root: str
    checkpoint: str
    session_state: str
    next_action: str
    deterministic_id: str
    steps: tuple[ReplayStep, ...]


def run(args: Args, ctx: Context) -> ReplayResult:
    checkpoint, file = replay.load_checkpoint(Inputs(ctx), args.from_checkpoint.strip())
    project = ctx.project(args.project_root or checkpoint.project_root)
    return ReplayResult(
        ok=True,
        session=checkpoint.session,
        project_root=project.root,
        checkpoint=file if file == "-" else os.path.abspath(os.path.join(ctx.cwd, os.path.expanduser(file))),
        session_state=checkpoint.session_state,
        next_action=checkpoint.next_action,
        deterministic_id=checkpoint.deterministic_id,
        steps=replay.build_steps(checkpoint, target.build_target(ctx, SessionRef(project, checkpoint.session))),
    )


def text(answer: ReplayResult, args: Args) -> str:
    return "\n".join(step.command for step in answer.steps)


COMMAND = Command(
    group="reading",
    args=Args,
    answer=ReplayResult,
    run=run,
    text=text,
    errors=("checkpoint_read_failed",),
    example="lisa session checkpoint save --session lisa-demo-1 --file /tmp/c.json --json |\n"
    "  lisa session replay --from-checkpoint - --json",
)
