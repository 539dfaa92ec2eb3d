"""Probe a model with one prompt through its agent CLI: in an empty folder, read-only, with a time limit."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch
from lisa_py.host import files
from lisa_py.host.run import ProgramResult, run_program

MARKER = "LISA_PREFLIGHT_MODEL_OK"
PROMPT = f"Reply with exactly this text and nothing else: {MARKER}"
DETAIL_MAX = 260
SKIPPED_DETAIL = "skipped (--no-network)"
_AUTH_ERRORS = ("authentication", "login", "log in", "unauthorized", "api key", "401")
_UNKNOWN_MODEL_ERRORS = ("not supported", "not exist", "no such model", "not found", "not available", "selected model")


class ModelCheck(Answer):
    """Result of probing one model."""

    agent: str
    model: str
    ok: bool
    verified: bool | UnsetType = UNSET
    """True if the model replied with the requested word; an exit code of 0 does not imply it."""
    detail: str | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class AutoModelResult(Answer):
    """The models that were tried, in order, up to the first that replied."""

    enabled: bool = True
    candidates: Sequence[str]
    attempts: Sequence[ModelCheck]
    selected: str | UnsetType = UNSET


def resolve_model(agent: Agent, name: str) -> str:
    """Return the full name of the model. Raise LisaError(invalid_model)."""
    model = name.strip()
    if any(char in model for char in "\r\n\t"):
        raise LisaError("invalid_model", "invalid --model: a model name has no line breaks or tabs")
    return agent.model_aliases.get(model.lower(), model)


def list_probe_agents() -> list[str]:
    """Return the agents that can be probed."""
    return [name for name in agents.names() if agents.get(name).probe_models]


def probe_model(ctx: Context, agent: Agent, model: str, *, network: bool = True) -> ModelCheck:
    """Make one real, paid call; agent failures become a result."""
    if not agent.probe_models:
        return _build_failure(
            agent, model, "preflight_model_agent_unsupported", f"only {'|'.join(list_probe_agents())} can be probed"
        )
    if not network:
        return ModelCheck(agent=agent.name, model=model, ok=True, verified=False, detail=SKIPPED_DETAIL)
    facts = launch.read_facts(ctx, agent)
    if not facts.binary:
        return _build_failure(agent, model, "preflight_model_probe_failed", f"{agent.name} is not on PATH")
    began = ctx.clock.monotonic()
    ended = _run_probe(ctx, agent, agent.build_one_shot_command(PROMPT, model, facts))
    return _judge_probe(ctx, agent, model, ended, round(ctx.clock.monotonic() - began, 2))


def _run_probe(ctx: Context, agent: Agent, argv: Sequence[str]) -> ProgramResult:
    """Run the agent in its own folder, without the variables of an enclosing session."""
    folder = files.make_temporary_dir(os.path.join(ctx.settings.temp_dir, "lisa-model-probe-"))
    own = {name for other in agents.names() for name in agents.get(other).session_variables}
    environ = {name: value for name, value in ctx.settings.environ.items() if name not in own}
    try:
        limit = ctx.settings.model_probe_timeout_seconds
        return run_program(argv, timeout=limit, env=environ, cwd=folder, group=True)
    except OSError as problem:
        return ProgramResult(127, b"", str(problem).encode())
    finally:
        files.remove_tree(folder)


def _judge_probe(ctx: Context, agent: Agent, model: str, ended: ProgramResult, seconds: float) -> ModelCheck:
    if ended.code is None:
        limit = ctx.settings.model_probe_timeout_seconds
        detail = f"no answer within {limit} s; LISA_MODEL_PROBE_TIMEOUT_SECONDS sets the limit"
        return _build_failure(agent, model, "preflight_model_probe_failed", detail, seconds)
    if ended.code != 0:
        output = f"{ended.text}\n{ended.error_text}"
        return _build_failure(agent, model, _error_code(output), _error_detail(ended), seconds)
    verified = MARKER in ended.text.replace(PROMPT, "")
    detail = "model probe succeeded" if verified else "model probe command completed without the requested word"
    return ModelCheck(agent=agent.name, model=model, ok=True, verified=verified, detail=detail, seconds=seconds)


def _error_code(output: str) -> str:
    lower = output.lower()
    if "model metadata" in lower and "not found" in lower:
        return "preflight_model_metadata_missing"
    if "model" in lower and any(words in lower for words in _UNKNOWN_MODEL_ERRORS):
        return "preflight_model_not_supported"
    if any(words in lower for words in _AUTH_ERRORS):
        return "preflight_model_auth_failed"
    return "preflight_model_probe_failed"


def _error_detail(ended: ProgramResult) -> str:
    """Return the most informative line: one that names an error, else the last."""
    lines = [line.strip() for line in f"{ended.error_text}\n{ended.text}".splitlines() if line.strip()]
    relevant = [line for line in lines if "error" in line.lower()] or lines[-1:]
    how = f"exit status {ended.code}" if ended.code and ended.code > 0 else f"signal {-(ended.code or 0)}"
    text = " | ".join([*relevant[:1], how])
    return text if len(text) <= DETAIL_MAX else text[: DETAIL_MAX - 3] + "..."


def _build_failure(agent: Agent, model: str, code: str, detail: str, seconds: float | UnsetType = UNSET) -> ModelCheck:
    return ModelCheck(agent=agent.name, model=model, ok=False, detail=detail, seconds=seconds, error_code=code)


def choose_model(
    ctx: Context, agent: Agent, candidate_list: str, *, network: bool = True
) -> tuple[AutoModelResult, ModelCheck]:
    """Probe the candidates in order until one replies; the last check is the success or the last failure."""
    candidates = (
        tuple(dict.fromkeys(word.strip() for word in candidate_list.split(",") if word.strip())) or agent.probe_models
    )
    attempts: list[ModelCheck] = []
    for word in candidates:
        try:
            attempts.append(probe_model(ctx, agent, resolve_model(agent, word), network=network))
        except LisaError as problem:
            attempts.append(_build_failure(agent, word, problem.code, problem.message))
        if attempts[-1].ok:
            break
    last = (
        attempts[-1]
        if attempts
        else _build_failure(agent, "", "preflight_auto_model_empty", "there is no model to try")
    )
    selected = last.model if last.ok else UNSET
    return AutoModelResult(candidates=candidates, attempts=attempts, selected=selected), last
