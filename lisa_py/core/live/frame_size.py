"""Keep encoded frames below the size that every client takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lisa_py.contract.live import LiveFrame

FRAME_BYTES = 1 << 20
"""Encoded frames stay below it; clients of the sessions API send and take messages of 1 MiB."""
_TEXT_STEPS = (200_000, 20_000, 2_000, 200)
"""Characters that are left of each text, until the frame is small enough."""


def shorten_frame(frame: LiveFrame) -> LiveFrame:
    """Return a frame with long texts cut, each with a note of its size, if it is too large encoded."""
    encoded = msgspec.json.encode(frame)
    for limit in _TEXT_STEPS:
        if len(encoded) < FRAME_BYTES:
            break
        payload = _cut(msgspec.to_builtins(frame.payload), limit)
        frame = msgspec.structs.replace(frame, payload=msgspec.convert(payload, type(frame.payload)))
        encoded = msgspec.json.encode(frame)
    return frame


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {name: _cut(inner, limit) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(inner, limit) for inner in value]
    return value
