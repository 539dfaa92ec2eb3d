"""Check a requested agent command line and adapt it to the installed agent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Struct

import lisa_py
from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.approvals import APPROVALS_FILE
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import INTENT_ALIASES, INTENTS, MODE_ALIASES, MODES, POLICIES
from lisa_py.contract.quoting import has_flag, quote
from lisa_py.contract.session_settings import SessionSettings, describe_unapplied
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import environment, nesting
from lisa_py.core.lifecycle.nesting import NestedDetection
from lisa_py.host import files
from lisa_py.host.run import find_program
from lisa_py.store import agent_facts

SHOWN_PROMPT_CHARACTERS = 200
"""The answer of a spawn shows only the size of a longer prompt."""
PROBE_SECONDS = 2.0
"""Limit of all probes of a binary together, which a start waits for."""
ERRORS = (
    "invalid_agent",
    "invalid_model",
    "invalid_model_configuration",
    "invalid_nested_policy_combination",
)
"""Error codes of resolve_launch and ResolvedLaunch.command, for all commands that call them."""


class LaunchRequest(Struct, frozen=True, kw_only=True):
    """A start as requested; nothing is checked yet."""

    agent: str = ""
    mode: str = "interactive"
    prompt: str = ""
    command: str = ""
    """Overrides the command line of the agent."""
    agent_args: str = ""
    model: str = ""
    nested_policy: str = "auto"
    nesting_intent: str = "auto"
    skip_permissions: bool = True
    trust: bool = False


class LaunchFlags(Protocol):
    """The flags of a command that describe how to start an agent."""

    agent: str
    mode: str
    agent_args: str
    model: str
    nested_policy: str
    nesting_intent: str


def build_request(flags: LaunchFlags, prompt: str, **extra: Any) -> LaunchRequest:
    """Build the request from the flags of a command; `extra` are further fields of the request, or other values."""
    names = ("agent", "mode", "agent_args", "model", "nested_policy", "nesting_intent")
    return LaunchRequest(prompt=prompt, **{name: getattr(flags, name) for name in names} | extra)


class ResolvedLaunch(Struct, frozen=True, kw_only=True):
    """A checked start."""

    agent: Agent
    launch: AgentLaunch
    nested_policy: str
    nesting_intent: str
    detection: NestedDetection
    custom: str = ""
    """The custom command, which replaces that of the agent."""

    @property
    def command(self) -> str:
        """Return the shell line for users. Raise LisaError(agent_command_build_failed)."""
        return self.custom or self.agent.build_command(self.launch)

    @property
    def effective_args(self) -> str:
        """Return all arguments for the agent besides its defaults and the prompt."""
        launch = self.launch
        model = f"--model {quote(launch.model)}" if launch.model else ""
        bypass = self.agent.bypass_flag if launch.bypass else ""
        return " ".join(part for part in (launch.agent_args.strip(), model, bypass) if part)

    def effective_detection(self) -> NestedDetection:
        """Return the detection together with the actual command line, as spawn reports it."""
        bypass, full_auto = self._uses_flag(self.agent.bypass_flag), self._uses_flag(self.agent.full_auto_flag)
        return msgspec.structs.replace(
            self.detection, effective_bypass=bypass or UNSET, effective_full_auto=full_auto or UNSET
        )

    def _uses_flag(self, flag: str) -> bool:
        if not flag:
            return False
        if self.custom:
            return has_flag(self.custom, flag)
        # the prompt may hold the flag's name as a word: look at a command line without it
        bare = msgspec.structs.replace(self.launch, prompt="x")
        return has_flag(self.agent.build_command(bare), flag)


def resolve_launch(
    request: LaunchRequest, settings: SessionSettings | None = None, secrets: Mapping[str, str] | None = None
) -> ResolvedLaunch:
    """Check in the order of the contract: agent, mode, model, model with arguments, policy, intent, combination.

    Agent and model of the request win over those of the settings. Raise LisaError with the code of the first error.
    """
    settings = complete_settings(settings or SessionSettings(), request.skip_permissions)
    agent = agents.get(request.agent or choose_agent(settings))
    mode = parse_choice("mode", request.mode, MODES, MODE_ALIASES)
    model = resolve_model(agent, request.model, request.agent_args, settings.model or "")
    policy = parse_choice("nested-policy", request.nested_policy, POLICIES, {})
    intent = parse_choice("nesting-intent", request.nesting_intent, INTENTS, INTENT_ALIASES)
    launch = AgentLaunch(
        mode=mode,
        prompt=request.prompt,
        agent_args=request.agent_args.strip(),
        model=model,
        skip_permissions=skips_permissions(settings, request.skip_permissions),
        trust=request.trust,
        settings=settings,
        secrets=secrets or {},
    )
    custom = request.command if request.command.strip() else ""
    detection = (
        nesting.build_override(policy, intent) if custom else nesting.detect_nesting(agent, launch, policy, intent)
    )
    added = detection.auto_bypass and not detection.has_bypass_arg
    launch = msgspec.structs.replace(
        launch,
        bypass=added,
        full_auto=detection.has_full_auto_arg,
        nested=nesting.is_nested(detection, launch.prompt),
    )
    return ResolvedLaunch(
        agent=agent, launch=launch, nested_policy=policy, nesting_intent=intent, detection=detection, custom=custom
    )


def complete_settings(settings: SessionSettings, skip_permissions: bool) -> SessionSettings:
    """Return the settings with the mode that applies where tools are allowed without one: acceptEdits.

    Credentials with empty values only are none: the pool serves the session.
    """
    if settings.credentials and not any(settings.credentials.values()):
        settings = msgspec.structs.replace(settings, credentials=UNSET)
    if settings.permission_mode or not settings.allowed_tools or not skip_permissions:
        return settings
    return msgspec.structs.replace(settings, permission_mode="acceptEdits")


def skips_permissions(settings: SessionSettings, default: bool) -> bool:
    return settings.permission_mode == "bypassPermissions" if settings.permission_mode else default


def choose_agent(settings: SessionSettings, default: str = "") -> str:
    """Return the agent of the settings: named, or the one for the provider, or the default.

    A given default without providers of its own takes every provider.
    """
    if settings.agent or not settings.provider or (default and not agents.get(default).providers):
        return settings.agent or default or agents.DEFAULT
    found = agents.find_by_provider(settings.provider)
    return found.name if found else default or agents.DEFAULT


def parse_choice(flag: str, value: str, choices: tuple[str, ...], aliases: Mapping[str, str]) -> str:
    """Return the canonical word. Raise LisaError(invalid_<flag>)."""
    word = value.strip().lower()
    word = aliases.get(word, word)
    if word not in choices:
        code = "invalid_" + flag.replace("-", "_")
        raise LisaError(code, f"invalid --{flag}: {value} (expected {'|'.join(choices)})")
    return word


def resolve_model(agent: Agent, name: str, agent_args: str = "", preset: str = "") -> str:
    """Return the full name of the model: `name` of a flag, else `preset` of the settings, which every agent takes.

    Raise LisaError(invalid_model | invalid_model_configuration).
    """
    model = name.strip() or preset.strip()
    if not model:
        return ""
    if any(char in model for char in "\r\n\t"):
        raise LisaError("invalid_model", "invalid --model: a model name has no line breaks or tabs")
    if not agent.takes_model and name.strip():
        supporting_agents = "|".join(word for word in agents.names() if agents.get(word).takes_model)
        raise LisaError(
            "invalid_model_configuration",
            f"--model goes with --agent {supporting_agents}; for {agent.name} give it in --agent-args",
        )
    if has_flag(agent_args, "--model"):
        if not name.strip():
            return ""  # the arguments are the user's own choice
        raise LisaError("invalid_model_configuration", "--model is given twice: as a flag and in --agent-args")
    return agent.model_aliases.get(model.lower(), model)


def find_binary(agent: Agent, environ: Mapping[str, str]) -> str:
    """Return the path of the agent on the PATH of the caller; empty if it is missing."""
    for name in agent.binaries:
        found = find_program(name, environ.get("PATH", os.defpath))
        if found:
            return found
    return ""


def read_facts(
    ctx: Context, agent: Agent, environ: Mapping[str, str] | None = None, *, timeout: float = PROBE_SECONDS
) -> Facts:
    """Return the features of the installed agent, probed once per installed file; empty if not installed."""
    environment = ctx.settings.environ if environ is None else environ
    binary = find_binary(agent, environment)
    if not binary:
        return Facts()
    known = agent_facts.load_facts(binary, ctx.settings, ctx.clock.now())
    if known is not None:
        return Facts(
            binary=binary,
            version=known.version,
            flags=frozenset(known.flags),
            unanswered=known.unanswered,
            shapes=frozenset(known.shapes),
        )
    found = agent.probe_binary(binary, environment, timeout)
    if found.complete:  # a probe without an answer in time is repeated
        record = agent_facts.BinaryFacts(
            stamp=agent_facts.stamp(binary),
            probed_at=ctx.clock.now(),
            version=found.version,
            flags=tuple(sorted(found.flags)),
            unanswered=dict(found.unanswered),
        )
        agent_facts.save_facts(binary, record, ctx.settings)
    return found


class PreparedLaunch(Struct, frozen=True, kw_only=True):
    """A start that only needs a pane."""

    plan: LaunchPlan
    facts: Facts
    launch: AgentLaunch


def prepare_launch(
    ctx: Context,
    resolved: ResolvedLaunch,
    *,
    folder: str,
    project_root: str,
    run_id: str,
    environ: Mapping[str, str],
    worktree: str = "",
) -> PreparedLaunch:
    """Adapt a start to the agent installed on the PATH of `environ`.

    Raise LisaError(agent_not_installed | agent_command_build_failed).
    """
    launch = msgspec.structs.replace(
        resolved.launch,
        folder=folder,
        project_root=project_root,
        worktree=worktree,
        run_id=run_id,
        environ=environ,
        hook=hook_path(),
        approvals=files.exists(os.path.join(ctx.settings.state_dir, APPROVALS_FILE)),
    )
    if resolved.custom:
        warnings = describe_unapplied("--command", launch.settings, ())
        plan = LaunchPlan(command=resolved.custom, script=resolved.custom, warnings=warnings)
        return PreparedLaunch(plan=plan, facts=Facts(), launch=launch)
    agent = resolved.agent
    agent.build_command(launch)  # report an impossible command line before any search
    found = read_facts(ctx, agent, environ)
    if agent.binaries and not found.binary:
        raise LisaError(
            "agent_not_installed",
            f"{agent.title or agent.name} is not on PATH ({', '.join(agent.binaries)}); install it (lisa doctor checks)"
            " or give --command",
            agent=agent.name,
        )
    plan = agent.plan_launch(launch, found)
    warnings = (*_describe_provider(agent, launch.settings), *_describe_approvals(ctx, launch, plan), *plan.warnings)
    return PreparedLaunch(plan=msgspec.structs.replace(plan, warnings=warnings), facts=found, launch=launch)


def _describe_approvals(ctx: Context, launch: AgentLaunch, plan: LaunchPlan) -> tuple[str, ...]:
    """Return the warning for approval rules of the user that cannot be used, or that no hook applies."""
    if not launch.approvals:
        return ()
    from lisa_py.core.guard import approval_file  # noqa: PLC0415 - few users have rules

    found = approval_file.read_rules(os.path.join(ctx.settings.state_dir, APPROVALS_FILE))
    if not plan.rule_events:
        return (f"the rules in {found.file} are not applied: this start has no hook for them",)
    return (f"the approval rules cannot be used, every call is asked about: {found.problem}",) if found.problem else ()


def _describe_provider(agent: Agent, settings: SessionSettings) -> tuple[str, ...]:
    """Return the warning for a provider whose models the agent does not run."""
    if not settings.provider or settings.provider in agent.providers:
        return ()
    return (f"provider is not applied: {agent.name} runs no models of {settings.provider}",)


class ShownLaunch(Struct, frozen=True, kw_only=True):
    """A start as shown to users, nothing of which is prepared."""

    command: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def show_launch(ctx: Context, resolved: ResolvedLaunch, project_root: str) -> ShownLaunch:
    """Return the command line of a start here, adapted to the installed agent; change nothing.

    Raise LisaError(agent_command_build_failed).
    """
    command, agent = resolved.command, resolved.agent
    if resolved.custom:
        warnings = describe_unapplied("--command", resolved.launch.settings, ())
        return ShownLaunch(command=command, warnings=warnings)
    environ = environment.inherit_environment(ctx)
    found = read_facts(ctx, agent, environ)
    if agent.binaries and not found.binary:
        note = f"{agent.name} is not on PATH: the command is not adapted to its version"
        return ShownLaunch(command=command, notes=(note,))
    request = msgspec.structs.replace(resolved.launch, project_root=project_root, environ=environ)
    plan = agent.plan_launch(request, found)
    warnings = (*_describe_provider(agent, request.settings), *plan.warnings)
    return ShownLaunch(command=plan.command, notes=plan.notes, warnings=warnings)


def show_launch_or_none(ctx: Context, resolved: ResolvedLaunch, project_root: str) -> ShownLaunch:
    """Return `show_launch`; an empty command line if none can be built, for example without a prompt."""
    try:
        return show_launch(ctx, resolved, project_root)
    except LisaError:
        return ShownLaunch(command="")


def abbreviate_prompt(command: str, prompt: str) -> str:
    """Return the command line with the size of a long prompt in its place."""
    if len(prompt) <= SHOWN_PROMPT_CHARACTERS:
        return command
    return command.replace(quote(prompt), f"'[prompt of {len(prompt.encode())} bytes]'")


def hook_path() -> str:
    """Return the program that agents call for their hook events."""
    return os.path.join(os.path.dirname(lisa_py.__file__), "pane", "hook.sh")
