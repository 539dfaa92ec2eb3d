"""What a capture is asked for, and what it gives."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.output.conversation import TranscriptExcerpt
from lisa_py.core.output.markers import MarkerSearchResult
from lisa_py.core.output.since import DeltaStart, parse
from lisa_py.core.output.summary import Summary
from lisa_py.core.redact.redactor import Mask
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
    start: str = ""
    next: int = 0
    reset: str = ""
    """Why the reader could not go on where it stopped, so that everything is given again; empty: it could."""
    skipped: int = 0
    """New lines left out because they exceed the lines asked for."""


class SemanticDelta(Struct, frozen=True):
    """The semantic delta, and all lines it was taken from."""

    new: tuple[str, ...]
    lines: tuple[str, ...]


class CaptureResult(Struct, frozen=True, kw_only=True):
    """What was read."""

    source: str
    """transcript or pane."""
    text: str
    """The delta, if one was asked for; else the whole."""
    agent: str = ""
    excerpt: TranscriptExcerpt | None = None
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
    found: MarkerSearchResult | None = None
    summary: Summary | None = None
    semantic_delta: SemanticDelta | None = None
    redact_rules: tuple[str, ...] = ()
    redacted: dict[str, int] | None = None
    """How often each rule found something; None when nothing was to be taken out."""


class CaptureReader:
    """Where the caller stopped, by its flag or by its cursor file; the flag wins.

    Raises LisaError: invalid_delta_from, invalid_cursor_file, invalid_redact_rules.
    """

    def __init__(self, ctx: Context, request: CaptureRequest) -> None:
        self.mask = Mask(request.redact)
        self.since: DeltaStart | None = parse(request.since) if request.since else None
        self.path = cursors.resolve_path(request.cursor_file) if request.cursor_file else ""
        self.file, self.recovered = cursors.CursorFile(), False
        if self.path:
            self.file, self.recovered = cursors.read_or_reset(self.path, request.cursor_reset, ctx.clock.now())

    @property
    def wants_delta(self) -> bool:
        return self.since is not None or bool(self.path)

    def progress(self, *, stored_offset: int, next_offset: int, reset: str = "", skipped: int = 0) -> Progress:
        """`stood` is the offset the cursor file held."""
        if not self.wants_delta:
            return Progress(next=next_offset)
        mode = self.since.mode if self.since else "offset"
        start = self.since.text if self.since else str(stored_offset)
        return Progress(mode=mode, start=start, next=next_offset, reset=reset, skipped=skipped)
