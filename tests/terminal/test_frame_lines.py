"""Lines of live frames: those of the limacharlie client, without control characters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lisa_py.contract.live import AssistantPayload, LiveFrame, SystemPayload
from lisa_py.terminal import frame_lines
from tests.terminal.record_frame_lines import KEYS, build_messages

RECORDED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("frame_lines.json").read_text())
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
ESCAPE = re.compile(r"\x1b\[\d+m")


def show(message: dict[str, Any], *, colors: bool = False, verbose: bool = False) -> list[str]:
    """Return what lisa writes to standard output and to standard error."""
    text = "".join(line + "\n" for line in frame_lines.format_frame(message, colors=colors, verbose=verbose))
    return ["", text] if frame_lines.is_error(message) else [text, ""]


def test_recording_holds_these_messages() -> None:
    assert [entry["message"] for entry in RECORDED] == build_messages()


def test_lines_on_a_pipe_are_those_of_the_client() -> None:
    for entry in RECORDED:
        assert show(entry["message"]) == [CONTROLS.sub("", text) for text in entry["plain"]], entry["message"]
        assert show(entry["message"], verbose=True) == [CONTROLS.sub("", text) for text in entry["verbose"]]


def test_colors_are_those_of_the_client() -> None:
    compared = 0
    for entry in RECORDED:
        if "\x1b" in json.dumps(entry["message"], ensure_ascii=False).encode().decode("unicode_escape", "replace"):
            continue  # the client passes escape sequences on to a terminal
        assert show(entry["message"], colors=True) == [re.sub("\r", "", text) for text in entry["colored"]]
        compared += 1
    assert compared > 150


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone\x1b]0;title\x07", "gone"),
        ("a\x9b31mb\x00\x7f", "a31mb"),
        ("bell\x07\ttab", "bell\ttab"),
        ("cut\x1b[3", "cut[3"),
    ],
)
def test_control_characters_do_not_reach_the_terminal(text: str, shown: str) -> None:
    frame = LiveFrame(
        type="assistant", payload=SystemPayload(subtype="", message=""), timestamp="", session_id="s", cursor="c"
    )
    message = {**frame_lines.read_message(frame), "payload": {"content": text}}
    assert frame_lines.format_frame(message, colors=True, verbose=False)[1:] == [f"  {shown}"]


def test_live_frame_shows_no_thinking() -> None:
    payload = AssistantPayload(content=({"type": "thinking", "thinking": "hm"},))
    frame = LiveFrame(type="assistant", payload=payload, timestamp="", session_id="s", cursor="c")
    assert frame_lines.is_noise(frame)
    assert frame_lines.format_frame(frame, colors=False, verbose=True) == ["assistant:"]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([*KEYS, "dialog"]), st.dictionaries(st.sampled_from(sum(KEYS.values(), ())), JSON, max_size=4))
def test_any_text_is_shown_without_controls(kind: str, payload: dict[str, Any]) -> None:
    payload.pop("questions", None), payload.pop("subtype", None)
    message = {"type": kind, "payload": payload, "timestamp": "2026-01-02T03:04:05Z"}
    shown = "\n".join(frame_lines.format_frame(message, colors=True, verbose=True))
    assert not CONTROLS.search(ESCAPE.sub("", shown)) and shown.startswith("\x1b[")
