"""The pictures of the documentation show what the program draws today.

docs/demo.svg is compared with a real run in tests/commands/test_demo.py.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from lisa_py.core.live.typed_lines import PendingDialog
from lisa_py.terminal import frame_lines
from tests.docs import record_attach, record_demo
from tests.docs.recording import DOCS, Picture, PictureSpan, join_spans, read_frames, split_styles

COLUMNS = record_attach.PICTURE.columns
HEADS = re.compile(
    r"\[(?P<time>[\d:]{8})\] (?P<kind>[a-z_]+)(?:\[(?P<subtype>\w+)\])?(?: (?P<name>\w+))?(?: \((?P<id>\w+)\))?:"
    r"(?: (?P<rest>.*))?"
)


def read_last_frame() -> list[list[PictureSpan]]:
    """Return the lines of the last frame; one that the terminal has wrapped is joined again."""
    lines: list[list[PictureSpan]] = []
    is_wrapped = False
    for spans in read_frames("attach.svg")[-1]:
        if is_wrapped and lines:
            lines[-1] = lines[-1] + spans
        else:
            lines.append(spans)
        is_wrapped = len(join_spans(spans)) == COLUMNS
    return lines


def rebuild_message(head: re.Match[str]) -> dict[str, Any]:
    """Return a frame whose first line is the one of the picture."""
    kind, rest = head["kind"], head["rest"] or ""
    payload: dict[str, Any] = {
        "user": {"content": "x"},
        "assistant": {"content": "x"},
        "tool_use": {"name": head["name"], "id": head["id"], "input": json.loads(rest) if kind == "tool_use" else 0},
        "tool_result": {"tool_use_id": head["id"], "content": "x"},
        "system": {"subtype": head["subtype"], "message": rest},
    }[kind]
    return {"type": kind, "timestamp": f"2026-11-28T{head['time']}Z", "payload": payload}


def test_attach_shows_frames_as_they_are_drawn() -> None:
    heads = [(found, spans) for spans in read_last_frame() if (found := HEADS.fullmatch(join_spans(spans)))]
    assert {found["kind"] for found, _ in heads} == {"user", "assistant", "tool_use", "tool_result", "system"}
    for found, shown in heads:
        drawn = frame_lines.format_frame(rebuild_message(found), colors=True, verbose=False)[0]
        (expected,) = split_styles([drawn])[0]
        assert {span._replace(text="") for span in shown} == {expected._replace(text="")}, drawn
        assert join_spans(shown) == expected.text


def test_attach_shows_a_request_as_it_is_drawn() -> None:
    lines = read_last_frame()
    texts = [join_spans(line) for line in lines]
    at = next(index for index, text in enumerate(texts) if text.startswith("Tool approval requested"))
    tool_input = json.loads(texts[at + 1].removeprefix("  input: "))
    request = PendingDialog(id="x", tool="Bash", tool_input=tool_input)
    drawn = split_styles("\n".join(request.format_question(colors=True)).split("\n"))
    assert lines[at : at + 2] == drawn
    assert texts[at + 2] == request.call_to_answer + "y"


@pytest.mark.parametrize("picture", [record_attach.PICTURE, record_demo.PICTURE], ids=lambda picture: picture.name)
def test_pictures_are_made_by_their_recorders(picture: Picture) -> None:
    root = ElementTree.parse(picture.path).getroot()
    assert root.get("aria-label") == picture.label
    assert f"![{picture.label}](docs/{picture.name})" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
    frames = read_frames(picture.name)
    assert len(frames) > 10 and all(len(frame) <= picture.rows for frame in frames)
    assert max(len(join_spans(line)) for frame in frames for line in frame) <= picture.columns
