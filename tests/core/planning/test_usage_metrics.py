"""core/planning/usage_metrics and usage_reports: usage in reports of every format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.core.inputs import InputError
from lisa_py.core.planning import usage_metrics, usage_reports

CLAUDE_USAGE = {
    "input_tokens": 1000,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 3000,
    "output_tokens": 50,
    "server_tool_use": {"web_search_requests": 0},
}
CODEX_USAGE = {"input_tokens": 4000, "cached_input_tokens": 3000, "output_tokens": 250}


def _amounts(payload: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
    found = usage_metrics.read_usage(payload)
    return found.tokens, found.seconds, found.steps


@pytest.mark.parametrize(
    ("payload", "amounts"),
    [
        ({"totalTokens": 500, "seconds": 30, "steps": [1, 2, 3]}, (500, 30, 3)),
        ({"tokens": 7, "totalTokens": 5}, (7, None, None)),
        ({"tokens": "77", "seconds": " 8 ", "steps": 2.9}, (77, 8, 2)),
        ({"tokens": "7.5", "seconds": True, "steps": {}}, (None, None, None)),
        ({"costEstimate": {"totalTokens": 770, "totalSeconds": 58, "steps": [0] * 6}}, (770, 58, 6)),
        ({"observed": {"tokens": 900, "seconds": 5, "steps": 1}}, (900, 5, 1)),
        ({"metrics": {"totalTokens": 9}}, (9, None, None)),
        ({"usage": CLAUDE_USAGE, "duration_ms": 1200, "num_turns": 2}, (4250, 2, 2)),
        ({"type": "turn.completed", "usage": CODEX_USAGE}, (4250, None, None)),
        ({"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}}, (7, None, None)),
        ({"payload": {"info": {"total_token_usage": {"total_tokens": 11573}}}}, (11573, None, None)),
        ({"payload": {"usage": {}, "thread_token_usage": {"total_tokens": 12}}}, (12, None, None)),
        ({"tokens": -4}, (-4, None, None)),
        ({"tokens": 10**40, "seconds": float("inf")}, (None, None, None)),
        ({"steps": "x", "usage": [], "costEstimate": 3}, (None, None, None)),
    ],
)
def test_every_known_report_format_is_read(payload: dict[str, Any], amounts: tuple[int | None, ...]) -> None:
    assert _amounts(payload) == amounts


def test_measurement_precedes_an_estimate() -> None:
    both = usage_metrics.read_usage(
        {"observed": {"tokens": 100}, "costEstimate": {"totalTokens": 770, "totalSeconds": 58}}
    )
    assert (both.tokens, both.seconds, both.estimated) == (100, 58, {"seconds"})


def test_unreported_zero_stays_unknown() -> None:
    seen = usage_metrics.read_usage(
        {"observed": {"tokens": 9, "seconds": 0, "steps": 0}, "missingMetrics": ["seconds", "steps"]}
    )
    assert (seen.tokens, seen.seconds, seen.steps) == (9, None, None)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "tokens",
                        "seconds",
                        "steps",
                        "observed",
                        "usage",
                        "costEstimate",
                        "payload",
                        "info",
                        "total_token_usage",
                        "duration_ms",
                        "missingMetrics",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_is_read(value: Any) -> None:
    if isinstance(value, dict):
        found = usage_metrics.read_usage(value)
        for metric in usage_metrics.METRICS:
            amount = found.amount(metric)
            assert amount is None or abs(amount) <= usage_metrics.MAX_AMOUNT


def test_last_line_with_an_object_counts() -> None:
    assert usage_reports.parse_lines('{"tokens":1}\nnoise {"tokens": 2} more\nplain words\n').tokens == 2


def test_last_line_without_amounts_is_skipped() -> None:
    assert usage_reports.parse_lines('{"tokens":41}\n{"event":"done"}\n').tokens == 41


def test_multi_line_object_is_one_report() -> None:
    assert usage_reports.parse_lines(json.dumps({"tokens": 5, "seconds": 6}, indent=2)).seconds == 6


@pytest.mark.parametrize("text", ["", "nothing here", "[1,2]", "}{"])
def test_text_without_an_object_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        usage_reports.parse_lines(text)


def _claude(call: str, output: int, text: str) -> str:
    usage = {**CLAUDE_USAGE, "output_tokens": output}
    message = {
        "id": call,
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": text}],
        "usage": usage,
    }
    return json.dumps({"type": "assistant", "uuid": text, "timestamp": "2026-11-21T02:07:34.016Z", "message": message})


def test_each_call_of_a_claude_transcript_counts_once() -> None:
    lines = [
        json.dumps({"type": "user", "message": {"role": "user", "content": "hello"}}),
        _claude("msg_1", 10, "first block"),
        _claude("msg_1", 30, "second block of the same call"),
        _claude("msg_2", 50, "another call"),
        json.dumps({"type": "system", "subtype": "turn_duration", "durationMs": 12}),
    ]
    assert usage_reports.parse_lines("\n".join(lines)).tokens == 4230 + 4250


def test_usage_of_a_codex_thread_is_in_its_transcript() -> None:
    call = {
        "usage": {**CODEX_USAGE, "total_tokens": 4250},
        "thread_token_usage": {"total_tokens": 4250},
        "response_id": "r1",
    }
    records: list[dict[str, Any]] = [
        {"type": "session_meta", "payload": {"id": "t"}},
        {"type": "token_usage_record", "payload": {**call, "turn_id": "a"}},
        {"type": "token_usage_record", "payload": {**call, "turn_id": "a", "response_id": "r2"}},
        {"type": "event_msg", "payload": {"type": "task_complete", "turn_id": "a", "last_agent_message": "done"}},
    ]
    text = "\n".join(json.dumps({"timestamp": "2026-11-21T02:09:34.591Z", **record}) for record in records)
    assert usage_reports.parse_lines(text).tokens == 8500
