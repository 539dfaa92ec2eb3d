"""Extra checks of a smoke run: nesting detection in prompts, and the contract of commands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.core.lifecycle import launch
from lisa_py.core.lifecycle.nesting import NestedDetection
from lisa_py.core.workflows.smoke_plan import STYLE_PROMPTS
from lisa_py.host.run import run_program

CHECK_SECONDS = 60.0


class PromptProbe(Answer):
    """One prompt style and its detection result."""

    style: str
    prompt: str
    expected_bypass: bool
    detection: NestedDetection
    command: str | UnsetType = UNSET

    @property
    def passed(self) -> bool:
        return self.detection.auto_bypass is self.expected_bypass


class MatrixRow(Answer):
    """One row of the prompt matrix and its result."""

    expected_mode: str
    actual_mode: str
    prompt: str
    passed: bool = msgspec.field(name="pass")
    detection: NestedDetection
    command: str | UnsetType = UNSET

    @property
    def mismatch(self) -> str:
        return (
            f'matrix mismatch for prompt "{self.prompt}": expected {self.expected_mode} got {self.actual_mode}'
            f" (reason={self.detection.reason})"
        )


def _detect(prompt: str, model: str) -> tuple[NestedDetection, str, str]:
    """Return detection, mode and command line of a nested start with this prompt."""
    agent = agents.get(agents.DEFAULT_NESTED)
    resolved = launch.resolve_launch(launch.LaunchRequest(agent=agent.name, mode="exec", prompt=prompt, model=model))
    detection = resolved.effective_detection()
    mode = "bypass" if detection.effective_bypass is True else "other"
    if detection.effective_full_auto is True:
        mode = "full-auto"
    return detection, mode, resolved.command


def probe_style(style: str, model: str) -> PromptProbe:
    """Check the prompt styles. Raise LisaError for an invalid model."""
    prompt, expected = STYLE_PROMPTS[style]
    detection, _, command = _detect(prompt, model)
    return PromptProbe(style=style, prompt=prompt, expected_bypass=expected, detection=detection, command=command)


def probe_matrix(rows: Sequence[tuple[str, str]], model: str) -> tuple[MatrixRow, ...]:
    """Check the rows up to and including the first mismatch."""
    done: list[MatrixRow] = []
    for expected, prompt in rows:
        detection, actual, command = _detect(prompt, model)
        passed = expected in ("any", actual)
        done.append(
            MatrixRow(
                expected_mode=expected,
                actual_mode=actual,
                prompt=prompt,
                passed=passed,
                detection=detection,
                command=command,
            )
        )
        if not passed:
            break
    return tuple(done)


# -- the commands' own contract -----------------------------------------------------------------------------------


class CommandContract(Struct, frozen=True, kw_only=True):
    """One call of the program and its expected answer."""

    name: str
    words: tuple[str, ...]
    keys: tuple[str, ...]
    exit: int = 0
    code: str = ""


class ContractCheck(Answer):
    """Result of the call."""

    name: str
    ok: bool
    expected_exit: int
    actual_exit: int
    expected_error_code: str | UnsetType = UNSET
    actual_error_code: str | UnsetType = UNSET
    missing_keys: tuple[str, ...] | UnsetType = UNSET
    detail: str | UnsetType = UNSET


def list_contracts(session: str, root: str) -> tuple[CommandContract, ...]:
    """Return the calls that orchestrators depend on; `session` exists."""
    existing = ("--session", session, "--project-root", root)
    unknown = ("--session", f"{session}-absent", "--project-root", root)
    state = ("session", "status", "sessionState")
    failure = ("ok", "errorCode", "error")
    return (
        CommandContract(name="status_json_min", words=("status", *existing, "--json-min"), keys=state[1:]),
        CommandContract(name="packet_json_min", words=("packet", *existing, "--json-min"), keys=(*state, "nextAction")),
        CommandContract(
            name="snapshot_json_min", words=("snapshot", *existing, "--json-min"), keys=(*state, "nextOffset")
        ),
        CommandContract(
            name="handoff_json_min", words=("handoff", *existing, "--json-min"), keys=(*state, "nextAction")
        ),
        CommandContract(
            name="explain_json_min", words=("explain", *existing, "--json-min"), keys=(*state, "reason", "recent")
        ),
        CommandContract(name="exists_json", words=("exists", *existing, "--json"), keys=("session", "exists")),
        CommandContract(
            name="schema_packet", words=("schema", "--command", "session packet", "--json"), keys=("command", "schema")
        ),
        CommandContract(
            name="turn_missing_session",
            words=("turn", "--text", "x", "--json"),
            keys=failure,
            exit=1,
            code="missing_required_flag",
        ),
        CommandContract(
            name="send_missing_session",
            words=("send", *unknown, "--text", "x", "--json"),
            keys=failure,
            exit=1,
            code="session_not_found",
        ),
        CommandContract(
            name="unknown_flag_is_json",
            words=("status", "--no-such-flag", "--json-min"),
            keys=failure,
            exit=1,
            code="unknown_flag",
        ),
        CommandContract(
            name="state_sandbox_list",
            words=("state-sandbox", "list", "--project-root", root, "--json-min"),
            keys=("action", "objectiveCount", "laneCount"),
        ),
        CommandContract(
            name="state_sandbox_restore_missing_file",
            words=("state-sandbox", "restore", "--json"),
            keys=failure,
            exit=1,
            code="missing_required_flag",
        ),
    )


def check_contract(program: str, contract: CommandContract, environ: Mapping[str, str]) -> ContractCheck:
    """Call the program as an orchestrator does; check exit code and output."""
    ended = run_program([program, "session", *contract.words], timeout=CHECK_SECONDS, env=dict(environ), group=True)
    payload, problem = _parse_object(ended.text)
    missing = tuple(key for key in contract.keys if key not in payload) if not problem else ()
    code = str(payload.get("errorCode", ""))
    actual = -1 if ended.code is None else ended.code
    details = [
        f"exit mismatch: expected={contract.exit} actual={actual}" if actual != contract.exit else "",
        problem,
        f"errorCode mismatch: expected={contract.code} actual={code}"
        if contract.code and code != contract.code
        else "",
        f"missing keys: {', '.join(missing)}" if missing else "",
    ]
    found = [detail for detail in details if detail]
    if found and ended.error_text:
        found.append(f"stderr: {ended.error_text[:400]}")
    return ContractCheck(
        name=contract.name,
        ok=not found,
        expected_exit=contract.exit,
        actual_exit=actual,
        expected_error_code=contract.code or UNSET,
        actual_error_code=code or UNSET,
        missing_keys=missing or UNSET,
        detail="; ".join(found) or UNSET,
    )


def _parse_object(out: str) -> tuple[dict[str, object], str]:
    line = out.strip()
    if not line:
        return {}, "missing JSON output"
    try:
        value = json.loads(line)
    except ValueError as problem:
        return {}, f"invalid json output: {problem}"
    return (value, "") if isinstance(value, dict) else ({}, "invalid json output: no object")


def resolve_nested_model(name: str) -> str:
    """Return the full model name for nested starts. Raise LisaError(invalid_model...)."""
    return launch.resolve_model(agents.get(agents.DEFAULT_NESTED), name)
