"""Check a prompt before it is given to an agent; nothing is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import (
    AgentArgs,
    AgentName,
    Markers,
    Mode,
    Model,
    NestedPolicy,
    NestingIntent,
    ProjectRoot,
    Prompt,
    PromptFile,
)
from lisa_py.core.advice import prompt_lint
from lisa_py.core.advice.prompt_lint import Flaw, Lint
from lisa_py.core.context import Context
from lisa_py.core.life import launch, nesting, typed_text
from lisa_py.core.life.launch import Resolved


class Args(Struct, kw_only=True):
    prompt: Prompt = ""
    prompt_file: PromptFile = ""
    agent: AgentName = agents.DEFAULT_NESTED
    mode: Mode = "exec"
    nested_policy: NestedPolicy = "auto"
    nesting_intent: NestingIntent = "auto"
    model: Model = ""
    agent_args: AgentArgs = ""
    project_root: ProjectRoot = ""
    markers: Markers = ""
    budget: Annotated[int, Flag(help="how many tokens the prompt may take", minimum=1)] = 320
    strict: Annotated[bool, Flag(help="fail when a warning is severe enough")] = False
    fail_on: Annotated[
        str, Flag(help="how severe a warning makes --strict fail; giving it is strict", choices=("high", "medium"))
    ] = "high"
    rewrite: Annotated[bool, Flag(help="also show wordings that are sure to be read as a call for nesting")] = False


class Linted(Struct, frozen=True, kw_only=True, rename="camel"):
    agent: str
    mode: str
    project_root: str
    budget: int
    prompt: str
    token_estimate: int
    nested_detection: nesting.NestedDetection
    effective_agent_args: str
    warnings: tuple[Flaw, ...]
    score: int
    strict: bool
    high_severity_count: int
    command: str | UnsetType = UNSET
    """What spawn would run; left out when no command line can be built."""
    model: str | UnsetType = UNSET
    rewrites: Sequence[str] | UnsetType = UNSET
    recommended_prompt: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Linted:
    start = launch.resolve(launch.requested(args, _prompt(args, ctx)))
    markers = [marker.strip() for marker in args.markers.split(",") if marker.strip()]
    lint = prompt_lint.lint(start, markers, args.budget)
    strict = args.strict or "fail_on" in ctx.given
    failed = strict and lint.reaches(args.fail_on)
    for flaw in lint.warnings if ctx.form == "text" else ():
        ctx.warn(f"{flaw.code} ({flaw.severity}): {flaw.message}")
    if failed:
        ctx.warn(f"prompt lint: at least one warning of severity {args.fail_on} or more")
    return _answer(args, ctx, start, lint, strict, failed)


def _prompt(args: Args, ctx: Context) -> str:
    if args.prompt and args.prompt_file:
        raise UsageError("prompt_conflict", "give one of --prompt and --prompt-file, not both")
    text = typed_text.from_file(ctx, args.prompt_file, "prompt-file") if args.prompt_file else args.prompt
    if not text.strip():
        raise UsageError("missing_required_flag", "--prompt is required (or --prompt-file; `-` is standard input)")
    return text


def _answer(args: Args, ctx: Context, start: Resolved, lint: Lint, strict: bool, failed: bool) -> Linted:
    prompt = start.launch.prompt
    rewrites = nesting.rewrites(prompt, start.detection) if args.rewrite else UNSET
    return Linted(
        agent=start.agent.name,
        mode=start.launch.mode,
        project_root=ctx.project(args.project_root).root,
        budget=args.budget,
        prompt=prompt,
        token_estimate=lint.token_estimate,
        nested_detection=start.detection,
        effective_agent_args=start.effective_args,
        warnings=lint.warnings,
        score=lint.score,
        strict=strict,
        high_severity_count=lint.count("high"),
        command=start.command_if_any or UNSET,
        model=start.launch.model or UNSET,
        rewrites=rewrites,
        recommended_prompt=rewrites[0] if rewrites else UNSET,
        error_code="prompt_lint_strict_failed" if failed else UNSET,
    )


def text(answer: Linted, args: Args) -> str:
    lines = [f"score={answer.score} warnings={len(answer.warnings)}"]
    if answer.recommended_prompt is not UNSET:
        lines.append(answer.recommended_prompt)
    return "\n".join(lines)


COMMAND = Command(
    args=Args,
    answer=Linted,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    exits={0: "checked (warnings alone do not fail)", 1: "--strict and a severe warning, or the call failed"},
    errors={
        **{code: what for code, what in launch.ERRORS.items() if code != "agent_command_build_failed"},
        "invalid_budget": "--budget is a number of tokens, at least 1",
        "invalid_fail_on": "--fail-on is high or medium",
        "invalid_prompt_file": "the file cannot be read or is larger than 16 MB",
        "prompt_conflict": "both --prompt and --prompt-file are given",
        "prompt_lint_strict_failed": "a warning is as severe as --fail-on says",
    },
    example='lisa session prompt-lint --prompt "Use ./lisa for child orchestration." --markers DONE --strict',
    notes="""\
A flawless prompt has score 100; each warning costs: prompt_contains_marker 30 and bypass_full_auto_conflict 25 (high),
prompt_over_budget 18 and nested_hint_missing 15 (medium). Tokens are characters divided by four.""",
)
