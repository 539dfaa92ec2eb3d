"""Report if a prompt makes an exec session run without a sandbox, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import (
    AgentArgs,
    AgentName,
    Mode,
    Model,
    NestedPolicy,
    NestingIntent,
    ProjectRoot,
    Prompt,
)
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch, nesting


class Args(Struct, kw_only=True):
    agent: AgentName = agents.DEFAULT_NESTED
    mode: Mode = "exec"
    nested_policy: NestedPolicy = "auto"
    nesting_intent: NestingIntent = "auto"
    prompt: Prompt = ""
    agent_args: AgentArgs = ""
    model: Model = ""
    project_root: ProjectRoot = ""
    rewrite: Annotated[bool, Flag(help="explanation of the nesting detection")] = False
    why: Annotated[bool, Flag(help="positions in the prompt that decided")] = False


class DetectNestedResult(Answer):
    agent: str
    mode: str
    nested_policy: str
    nesting_intent: str
    prompt: str
    project_root: str
    agent_args: str
    effective_agent_args: str
    nested_detection: nesting.NestedDetection
    model: str | UnsetType = UNSET
    command: str | UnsetType = UNSET
    """The line that spawn runs; omitted if none can be built, for example without a prompt."""
    notes: tuple[str, ...] | UnsetType = UNSET
    """Arguments omitted, prevented or accepted for the installed version of the agent."""
    rewrites: Sequence[str] | UnsetType = UNSET
    why: nesting.NestingExplanation | UnsetType = UNSET


def run(args: Args, ctx: Context) -> DetectNestedResult:
    resolved = launch.resolve_launch(launch.build_request(args, args.prompt))
    detection, root = resolved.detection, ctx.project(args.project_root).root
    shown = launch.show_launch_or_none(ctx, resolved, root)
    for note in shown.notes if ctx.output_format == "text" else ():
        ctx.warn(f"note: {note}")
    return DetectNestedResult(
        agent=resolved.agent.name,
        mode=resolved.launch.mode,
        nested_policy=resolved.nested_policy,
        nesting_intent=resolved.nesting_intent,
        prompt=args.prompt,
        project_root=root,
        agent_args=args.agent_args,
        effective_agent_args=resolved.effective_args,
        nested_detection=detection,
        model=resolved.launch.model or UNSET,
        command=shown.command or UNSET,
        notes=shown.notes or UNSET,
        rewrites=nesting.suggest_rewrites(args.prompt, detection) if args.rewrite else UNSET,
        why=nesting.explain_detection(detection, args.prompt) if args.why else UNSET,
    )


def text(answer: DetectNestedResult, args: Args) -> str:
    detection = answer.nested_detection
    bypass = str(detection.auto_bypass).lower()
    lines = [
        f"eligible={str(detection.eligible).lower()} autoBypass={bypass} reason={detection.reason}"
        f" matchedHint={detection.matched_hint or ''}"
    ]
    if answer.command:
        lines.append(answer.command)
    if answer.why:
        mentions = (
            f"{_describe_span(span)} {span.hint} at {span.start}: {span.context!r}" for span in answer.why.spans
        )
        lines.append("why: " + ("; ".join(mentions) or detection.reason))
    if answer.rewrites:
        lines += ["rewrites:", *(f"- {line}" for line in answer.rewrites)]
    return "\n".join(lines)


def _describe_span(span: nesting.Span) -> str:
    return "mention of" if span.non_executable else "call for"


COMMAND = Command(
    group="planning",
    args=Args,
    answer=DetectNestedResult,
    run=run,
    text=text,
    errors=launch.ERRORS,
    example='lisa session detect-nested --prompt "Use ./lisa for child orchestration." --why',
)
