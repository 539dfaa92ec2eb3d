"""Check a prompt before an agent gets it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
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
from lisa_py.core.advice.prompt_lint import LintReport, LintWarning
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch, nesting
from lisa_py.core.lifecycle.launch import ResolvedLaunch
from lisa_py.core.send import input_text


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
    budget: Annotated[int, Flag(help="token budget of the prompt", minimum=1)] = 320
    strict: Annotated[bool, Flag(help="failure on severe warnings")] = False
    fail_on: Annotated[str, Flag(help="minimum severity for failure; implies --strict", choices=("high", "medium"))] = (
        "high"
    )
    rewrite: Annotated[bool, Flag(help="prompt wordings that are detected as nested")] = False


class PromptLintResult(Answer):
    agent: str
    mode: str
    project_root: str
    budget: int
    prompt: str
    token_estimate: int
    nested_detection: nesting.NestedDetection
    effective_agent_args: str
    warnings: tuple[LintWarning, ...]
    score: int
    strict: bool
    high_severity_count: int
    command: str | UnsetType = UNSET
    """The line that spawn runs; omitted if none can be built."""
    model: str | UnsetType = UNSET
    rewrites: Sequence[str] | UnsetType = UNSET
    recommended_prompt: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> PromptLintResult:
    resolved = launch.resolve_launch(launch.build_request(args, _read_prompt(args, ctx)))
    markers = [marker.strip() for marker in args.markers.split(",") if marker.strip()]
    lint = prompt_lint.lint_prompt(resolved, markers, args.budget)
    strict = args.strict or "fail_on" in ctx.given_fields
    failed = strict and lint.has_severity(args.fail_on)
    for flaw in lint.warnings if ctx.output_format == "text" else ():
        ctx.warn(f"{flaw.code} ({flaw.severity}): {flaw.message}")
    if failed:
        ctx.warn(f"prompt lint: at least one warning of severity {args.fail_on} or more")
    return _build_result(args, ctx, resolved, lint, strict, failed)


def _read_prompt(args: Args, ctx: Context) -> str:
    if args.prompt and args.prompt_file:
        raise UsageError("prompt_conflict", "--prompt cannot be combined with --prompt-file")
    text = input_text.read_text_file(ctx, args.prompt_file, "prompt-file") if args.prompt_file else args.prompt
    if not text.strip():
        raise UsageError("missing_required_flag", "--prompt is required (or --prompt-file; `-` is standard input)")
    return text


def _build_result(
    args: Args, ctx: Context, resolved: ResolvedLaunch, lint: LintReport, strict: bool, failed: bool
) -> PromptLintResult:
    prompt, root = resolved.launch.prompt, ctx.project(args.project_root).root
    rewrites = nesting.suggest_rewrites(prompt, resolved.detection) if args.rewrite else UNSET
    return PromptLintResult(
        agent=resolved.agent.name,
        mode=resolved.launch.mode,
        project_root=root,
        budget=args.budget,
        prompt=prompt,
        token_estimate=lint.token_estimate,
        nested_detection=resolved.detection,
        effective_agent_args=resolved.effective_args,
        warnings=lint.warnings,
        score=lint.score,
        strict=strict,
        high_severity_count=lint.count("high"),
        command=launch.show_launch_or_none(ctx, resolved, root).command or UNSET,
        model=resolved.launch.model or UNSET,
        rewrites=rewrites,
        recommended_prompt=rewrites[0] if rewrites else UNSET,
        error_code="prompt_lint_strict_failed" if failed else UNSET,
    )


def text(answer: PromptLintResult, args: Args) -> str:
    lines = [f"score={answer.score} warnings={len(answer.warnings)}"]
    if answer.recommended_prompt is not UNSET:
        lines.append(answer.recommended_prompt)
    return "\n".join(lines)


COMMAND = Command(
    group="planning",
    args=Args,
    answer=PromptLintResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    exits={0: "checked; warnings alone do not fail", 1: "a severe warning under --strict, or the call failed"},
    errors=(
        *launch.ERRORS,
        "invalid_prompt_file",
        "prompt_conflict",
        "prompt_lint_strict_failed",
    ),
    example='lisa session prompt-lint --prompt "Use ./lisa for child orchestration." --markers DONE --strict',
    notes="""\
A prompt without warnings has score 100; each warning subtracts: prompt_contains_marker 30 and
bypass_full_auto_conflict 25 (high), prompt_over_budget 18 and nested_hint_missing 15 (medium). Tokens are characters
divided by four.""",
)
