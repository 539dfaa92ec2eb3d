"""What a capture is asked for, and what it gives."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.relay.conversation import Talk
from lisa_py.core.relay.markers import Found
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.since import Since, parse
from lisa_py.core.relay.summary import Summary
from lisa_py.store import cursors


class CaptureRequest(Struct, frozen=True, kw_only=True):
    """What to read, and what to make of it."""

    source: str = "auto"
    """auto (transcript first), transcript or pane."""
    lines: int = 200
    limited: bool = False
    """The number of lines was asked for, not just the default: it limits transcripts and deltas too."""
    since: str = ""
    """`--delta-from`."""
    cursor_file: str = ""
    cursor_reset: bool = False
    semantic: bool = False
    markers: tuple[str, ...] = ()
    summary: str = ""
    """terse, ops or debug; empty: no summary."""
    token_budget: int = 320
    redact: str = ""
    """The rules of `--redact`, as they were given."""
    strip_noise: bool = True
    strip_banner: bool = False


class Progress(Struct, frozen=True, kw_only=True):
    """Where a delta began and where the next one will."""

    mode: str = ""
    """offset or timestamp; empty: no delta was asked for."""
    began: str = ""
    next: int = 0
    reset: str = ""
    """Why the reader could not go on where it stopped, so that everything is given again; empty: it could."""
    skipped: int = 0
    """New lines left out because they exceed the lines asked for."""


class Meaning(Struct, frozen=True):
    """The semantic delta, and all lines it was taken from."""

    new: tuple[str, ...]
    lines: tuple[str, ...]


class Captured(Struct, frozen=True, kw_only=True):
    """What was read."""

    source: str
    """transcript or pane."""
    text: str
    """The delta, if one was asked for; else the whole."""
    agent: str = ""
    talk: Talk | None = None
    fallback_reason: str = ""
    """Why the transcript was not read although it was asked for."""
    progress: Progress = Progress()
    cursor_recovered: bool = False
    noise_removed: int = 0
    alternate: bool = False
    """The pane shows a full-screen program: there is no history above it."""
    dead: bool = False
    truncated: bool = False
    """There is more before what was read."""
    found: Found | None = None
    summary: Summary | None = None
    meaning: Meaning | None = None
    redact_rules: tuple[str, ...] = ()
    redacted: dict[str, int] | None = None
    """How often each rule found something; None when nothing was to be taken out."""


class Reader:
    """Where the caller stopped, by its flag or by its cursor file; the flag wins.

    Raises LisaError: invalid_delta_from, invalid_cursor_file, invalid_redact_rules.
    """

    def __init__(self, ctx: Context, request: CaptureRequest) -> None:
        self.mask = Mask(request.redact)
        self.since: Since | None = parse(request.since) if request.since else None
        self.path = cursors.located(request.cursor_file) if request.cursor_file else ""
        self.file, self.recovered = cursors.CursorFile(), False
        if self.path:
            self.file, self.recovered = cursors.read_or_reset(self.path, request.cursor_reset, ctx.clock.now())

    @property
    def wants_delta(self) -> bool:
        return self.since is not None or bool(self.path)

    def progress(self, *, stood: int, next_offset: int, reset: str = "", skipped: int = 0) -> Progress:
        """`stood` is the offset the cursor file held."""
        if not self.wants_delta:
            return Progress(next=next_offset)
        mode = self.since.mode if self.since else "offset"
        began = self.since.text if self.since else str(stood)
        return Progress(mode=mode, began=began, next=next_offset, reset=reset, skipped=skipped)
