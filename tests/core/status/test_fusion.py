"""Combining reports of different trust."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.status import AgentReport
from lisa_py.core.status.fusion import STATE_CLASSES, TRUST, FusionResult, TurnBoundary, fuse

NOW = 1000.0
NO_INPUT = TurnBoundary()


def agent_report(source: str, state: str, at: float = 0.0, **more: Any) -> AgentReport:
    return AgentReport(source=source, state=state, at=at, **more)  # type: ignore[arg-type]


def fused(*reports: AgentReport, boundary: TurnBoundary = NO_INPUT, now: float = NOW) -> FusionResult:
    answer = fuse(reports, boundary, now)
    assert answer is not None
    return answer


def test_no_reports_give_no_verdict() -> None:
    assert fuse([], NO_INPUT, NOW) is None
    assert fuse([agent_report("agent_file", "unknown")], NO_INPUT, NOW) is None


def test_more_trusted_report_wins_over_another_class() -> None:
    order = sorted(TRUST, key=TRUST.__getitem__)
    for better, worse in itertools.pairwise(order):
        if (better, worse) == ("activity", "screen"):
            continue  # covered by the next test
        assert fused(agent_report(worse, "idle"), agent_report(better, "thinking")).state == "thinking"
        assert (
            fused(agent_report(worse, "thinking"), agent_report(better, "waiting", waiting_for="question")).state
            == "waiting"
        )


def test_less_trusted_report_refines_within_the_class() -> None:
    answer = fused(agent_report("agent_file", "thinking"), agent_report("screen", "retrying", error="overloaded"))
    assert (answer.state, answer.error, answer.source) == ("retrying", "overloaded", "agent_file")
    assert fused(agent_report("agent_file", "idle"), agent_report("transcript", "error", error="auth")).error == "auth"


def test_most_trusted_refinement_wins() -> None:
    answer = fused(
        agent_report("agent_file", "thinking"),
        agent_report("hook", "tool", detail="Bash"),
        agent_report("screen", "streaming", detail="text"),
    )
    assert (answer.state, answer.detail) == ("tool", "Bash")


def test_dialog_kind_comes_from_any_report() -> None:
    answer = fused(
        agent_report("agent_file", "waiting", waiting_for="dialog"),
        agent_report("screen", "waiting", waiting_for="login"),
    )
    assert answer.waiting_for == "login"


def test_newest_report_of_a_source_counts() -> None:
    assert fused(agent_report("hook", "tool", 10), agent_report("hook", "idle", 20)).state == "idle"
    assert fused(agent_report("hook", "idle", 20), agent_report("hook", "tool", 10)).state == "idle"
    assert fused(agent_report("title", "thinking"), agent_report("title", "idle", 20)).state == "thinking"


def test_newer_of_hook_and_transcript_decides() -> None:
    assert fused(agent_report("hook", "tool", 10), agent_report("transcript", "interrupted", 12)).state == "interrupted"
    assert (
        fused(
            agent_report("hook", "waiting", 10, waiting_for="permission"), agent_report("transcript", "tool", 10.3)
        ).state
        == "waiting"
    )


def test_screen_decides_for_a_program_reading_its_terminal() -> None:
    assert (
        fused(agent_report("activity", "idle"), agent_report("screen", "waiting", waiting_for="trust")).waiting_for
        == "trust"
    )
    assert fused(agent_report("activity", "idle"), agent_report("screen", "thinking")).state == "idle"
    assert fused(agent_report("activity", "thinking"), agent_report("screen", "idle")).state == "thinking"


def test_dialog_on_the_screen_wins_over_a_busy_process() -> None:
    for state in ("thinking", "tool"):
        answer = fused(agent_report("activity", state), agent_report("screen", "waiting", waiting_for="trust"))
        assert (answer.state, answer.waiting_for, answer.source) == ("waiting", "trust", "screen")


def test_idle_before_an_input_is_pending_until_its_limit() -> None:
    boundary = TurnBoundary(at=990.0)
    old = agent_report("agent_file", "idle", 980.0)
    assert fused(old, boundary=boundary, now=999.9).pending
    late = fused(old, boundary=boundary, now=1000.1)
    assert (late.pending, late.not_accepted, late.state) == (False, True, "idle")


def test_busy_needs_no_confirmed_input() -> None:
    assert not fused(agent_report("title", "thinking"), boundary=TurnBoundary(at=999.0)).pending


def test_idle_counts_after_a_confirmed_input() -> None:
    boundary = TurnBoundary(at=995.0, begun=True)
    assert fused(agent_report("title", "idle"), boundary=boundary).state == "idle"
    assert not fused(agent_report("title", "idle"), boundary=boundary).pending


def test_error_after_the_input_counts_as_answer() -> None:
    assert not fused(agent_report("hook", "error", 999.5, error="auth"), boundary=TurnBoundary(at=999.0)).pending


def test_new_turn_overrides_live_idle() -> None:
    boundary = TurnBoundary(at=999.0, begun=True)
    answer = fused(agent_report("title", "idle"), agent_report("transcript", "thinking", 999.5), boundary=boundary)
    assert (answer.state, answer.source) == ("thinking", "transcript")
    later = fused(
        agent_report("title", "idle"), agent_report("transcript", "thinking", 999.5), boundary=boundary, now=1001.0
    )
    assert later.state == "idle"


reports = st.lists(
    st.builds(
        AgentReport,
        source=st.sampled_from(sorted(TRUST)),
        state=st.sampled_from(sorted(STATE_CLASSES)),
        at=st.sampled_from([0.0, 500.0, 990.0, 999.9]),
    ),
    max_size=8,
)


@given(reports)
def test_result_is_always_of_a_reported_class(made: list[AgentReport]) -> None:
    answer = fuse(made, NO_INPUT, NOW)
    assert (answer is None) == (not made)
    if answer is not None:
        assert answer.kind in {STATE_CLASSES[report.state] for report in made}
        assert answer.source in {report.source for report in made}


@given(reports, st.randoms(use_true_random=False))
def test_order_of_reports_does_not_matter(made: list[AgentReport], random: Any) -> None:
    mixed = list(made)
    random.shuffle(mixed)
    first, second = fuse(made, NO_INPUT, NOW), fuse(mixed, NO_INPUT, NOW)
    assert (first and (first.kind, first.source)) == (second and (second.kind, second.source))
