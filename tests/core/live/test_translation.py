"""core/live/translation: frames of a transcript as live frames."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lisa_py.agents import get
from lisa_py.contract.live import UsagePayload
from lisa_py.core.live import translation
from lisa_py.terminal import frame_lines


def test_duration_of_a_turn_is_not_printed() -> None:
    record = {"type": "system", "subtype": "turn_duration", "durationMs": 1500, "timestamp": "2026-01-01T00:00:00Z"}
    (frame,) = get("claude").parse_frames(msgspec.json.encode(record), 0)
    payload = translation.translate_frame(frame)
    assert payload is not None
    shown = msgspec.to_builtins(translation.build_frame(payload, 1.0, "s", "c"))
    assert (shown["type"], shown["payload"]) == (
        "usage_delta",
        {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "duration_ms": 1500},
    )
    assert frame_lines.is_noise(shown) and not frame_lines.format_frame(shown, colors=False, verbose=False)


TRANSCRIPTS = Path(__file__).parents[2] / "agents" / "transcripts"


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("c*.jsonl")), ids=lambda path: path.stem)
def test_messages_are_the_frames_of_the_history(path: Path) -> None:
    agent = get(path.stem.partition("-")[0])
    frames = [frame for line in path.read_bytes().splitlines() for frame in agent.parse_frames(line, 0)]
    assert frames
    for frame in frames:
        payload = translation.translate_frame(frame)
        is_shown = payload is not None and not isinstance(payload, UsagePayload)
        assert translation.is_message(frame) is is_shown, frame
