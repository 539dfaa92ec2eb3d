"""Describe the usage limit that an agent has reached, by its own words."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, structs

from lisa_py import agents
from lisa_py.agents.base import LimitReport
from lisa_py.contract.limits import UsageLimit
from lisa_py.contract.status import Status
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import processes
from lisa_py.host.clock import format_rfc3339

LIMIT_ERRORS = ("usage_limit", "rate_limit", "billing")


def add_limit(evidence: Evidence, status: Status, environ: Mapping[str, str]) -> Status:
    """Return the status with the limit; `environ` is used for an agent whose own cannot be read."""
    text, _ = find_text(evidence)
    report = read_limit(evidence, environ)
    limit = UsageLimit(
        resets_at=format_rfc3339(report.resets_at) if report.resets_at else UNSET,
        window=report.window or UNSET,
        account=report.account or (evidence.meta.oauth_token_id if evidence.meta else "") or UNSET,
        text=text or UNSET,
    )
    return structs.replace(status, limit=limit)


def read_limit(evidence: Evidence, environ: Mapping[str, str]) -> LimitReport:
    """Return the limit as the agent describes it."""
    text, at = find_text(evidence)
    process = evidence.agent_process
    own = (processes.read_environment(process) if process is not None else {}) or environ
    agent = agents.get_or_default(evidence.agent)
    return agent.read_limit(text, at or evidence.state.last_input_at, own, evidence.binding)


def find_text(evidence: Evidence) -> tuple[str, float]:
    """Return the agent's newest words about a limit and their time, 0 if it is unknown."""
    texts = [(each.text, each.at) for each in evidence.frames if each.error in LIMIT_ERRORS and each.text]
    said = [
        (each.detail, each.at)
        for each in evidence.reports
        if each.detail and (each.error in LIMIT_ERRORS or each.waiting_for == "limit")
    ]
    timed = [each for each in (*texts, *said) if each[1]]
    if timed:
        newest = max(at for _, at in timed)
        return max((each for each in timed if each[1] > newest - 1), key=lambda each: len(each[0]))
    return next(iter((*texts, *said)), ("", 0.0))
