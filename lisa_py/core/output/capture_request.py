"""Request and result of a capture."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.output.conversation import TranscriptExcerpt
from lisa_py.core.output.markers import MarkerSearchResult
from lisa_py.core.output.since import DeltaStart, parse
from lisa_py.core.output.summary import Summary
from lisa_py.core.redact.redactor import Mask
from lisa_py.store import cursors


class CaptureRequest(Struct, frozen=True, kw_only=True):
    """Source and form of a capture."""

    source: str = "auto"
    """auto (transcript first), transcript or pane."""
    last: bool = False
    """True: only the newest answer of the agent."""
    lines: int = 200
    limited: bool = False
    """True if the number of lines was given: then it limits transcripts and deltas, too."""
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
    """Value of `--redact`."""
    strip_noise: bool = True
    strip_banner: bool = False
    needs_offset: bool = True
    """False: of a pane only its last lines are read, and the offset of the next read is not known."""


class Progress(Struct, frozen=True, kw_only=True):
    """Start of a delta and of the next one."""

    mode: str = ""
    """offset or timestamp; empty: no delta was requested."""
    start: str = ""
    next: int = 0
    reset: str = ""
    """Reason why the reader could not continue at its position, so that everything is given again; empty: none."""
    skipped: int = 0
    """Number of new lines omitted because of the line limit."""


class CaptureResult(Struct, frozen=True, kw_only=True):
    """Result of a capture."""

    source: str
    """transcript or pane."""
    text: str
    """The delta if requested, else the whole text."""
    agent: str = ""
    excerpt: TranscriptExcerpt | None = None
    is_answer: bool = False
    """True if the text is the newest answer of the agent."""
    fallback_reason: str = ""
    """Reason why the transcript was not read although requested."""
    progress: Progress = Progress()
    cursor_recovered: bool = False
    noise_removed: int = 0
    alternate: bool = False
    """True if the pane shows a full-screen program: there is no history above it."""
    dead: bool = False
    truncated: bool = False
    """True if there is output before the captured part."""
    is_part: bool = False
    """True if the conversation was too long to be read, although it was requested."""
    found: MarkerSearchResult | None = None
    summary: Summary | None = None
    semantic_delta: tuple[str, ...] | None = None
    """New meaningful lines."""
    redact_rules: tuple[str, ...] = ()
    redacted: dict[str, int] | None = None
    """Number of redactions per rule; None without rules."""


class CaptureReader:
    """Position of a reader, from its flag or cursor file; the flag wins.

    Raise LisaError: invalid_delta_from, invalid_cursor_file, invalid_redact_rules.
    """

    def __init__(self, ctx: Context, request: CaptureRequest, secrets: Sequence[str] = ()) -> None:
        self.mask = Mask(request.redact, secrets)
        self.since: DeltaStart | None = parse(request.since) if request.since else None
        self.path = cursors.resolve_path(request.cursor_file) if request.cursor_file else ""
        self.file, self.recovered = cursors.CursorFile(), False
        if self.path:
            self.file, self.recovered = cursors.read_or_reset(self.path, request.cursor_reset, ctx.clock.now())

    @property
    def wants_delta(self) -> bool:
        return self.since is not None or bool(self.path)

    def progress(self, *, stored_offset: int, next_offset: int, reset: str = "", skipped: int = 0) -> Progress:
        """Build the delta; `stored_offset` comes from the cursor file."""
        if not self.wants_delta:
            return Progress(next=next_offset)
        mode = self.since.mode if self.since else "offset"
        start = self.since.text if self.since else str(stored_offset)
        return Progress(mode=mode, start=start, next=next_offset, reset=reset, skipped=skipped)
