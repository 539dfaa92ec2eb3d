"""Follow one session: its conversations, status changes and dialogs as live frames, each once and in order."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec import Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.dialogs import OpenDialog
from lisa_py.contract.errors import CancellationError, session_not_found
from lisa_py.contract.frames import Frame
from lisa_py.contract.live import AssistantPayload, LiveFrame, Payload, SystemPayload
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.live import conversations, dialog_frames, ending, translation
from lisa_py.core.live.dialog_frames import DialogReporter
from lisa_py.core.live.position import LivePosition, name_transcript, parse_cursor
from lisa_py.core.output import pane_cursor, pane_text
from lisa_py.core.output.pane_text import PaneText
from lisa_py.core.redact.redactor import Mask
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.status.status_reader import read_with_evidence
from lisa_py.core.status.transcript import TranscriptReader
from lisa_py.host import files
from lisa_py.store import limit_records, masked_values, usage_state
from lisa_py.store.live_records import session_id
from lisa_py.store.paths import SessionRef
from lisa_py.store.session_records import read_meta
from lisa_py.terminal import frame_lines, layout

if TYPE_CHECKING:
    from lisa_py.core.wait.waiter import Waiter

READ_SECONDS = 5.0
"""Longest time between two reads of a session whose changes are events."""
IDLE_SECONDS = 60.0
"""The same for an agent that is idle and reports its states."""
PANE_SECONDS = 0.25
"""Longest time between two reads of the output of a session without a transcript."""
BLOCK_BYTES = 1 << 20
"""Bytes parsed at once: the first frames do not wait for the rest, and memory stays flat."""
CALL_SECONDS = 0.3
"""Longest delay of a dialog whose tool call is not in the transcript yet."""
CALL_READ_SECONDS = 0.02
"""Longest time between two reads meanwhile."""
DRAW_SECONDS, DRAW_READ_SECONDS = 1.3, 0.05
"""The same for a dialog whose choices are not on the screen yet."""


class FeedPause(Struct, frozen=True):
    """Longest time until a feed has to read the session again, if no event comes."""

    seconds: float
    may_end: bool = True
    """Everything that was read is reported."""


class SessionFeed:
    """The frames of one session from a position on.

    `history` returns what is recorded; `follow` then waits for more and ends with the session. The position of every
    frame is valid for later feeds, also of other processes.
    """

    def __init__(self, ctx: Context, ref: SessionRef, since: str = "") -> None:
        """Raise LisaError: session_not_found, invalid_cursor."""
        meta = read_meta(ref)
        if meta is None:
            raise session_not_found(ref.session, ref.project.root)
        self._id = session_id(ref.project, meta)
        self._ctx = ctx
        self._ref = ref
        self._start = parse_cursor(since) if since else None
        self.reset = ""
        """Reason why the feed started from the beginning instead of at the given cursor; empty if it did not."""
        self.omitted_bytes = 0
        """Bytes of the transcripts before the first frame of `history`, if it was to begin near their end."""
        self._cache = PollCache()
        self._evidence = Evidence(session=ref.session)
        self.status = Status(session=ref.session)
        self._agent = Agent()
        self._paths: list[str] = []
        self._reader: TranscriptReader | None = None
        self._position = LivePosition()
        self._skip = 0
        self._begun_calls: set[str | UnsetType] = set()
        """Ids of the tool calls of the newest turn."""
        self._dialogs = DialogReporter(ctx, ref)
        self._shown_status: tuple[str, ...] = ()
        self._has_last_screen = False
        self._waiter: Waiter | None = None
        self.deadline: float | None = None
        """Monotonic time at which `follow` ends although the session has not; None: never."""
        self._notices: int | None = None
        """Number of notices of the limit process that are not to be reported; None: not known yet."""
        self._mask = Mask("", masked_values.read(ref))
        """Secrets given to the session are in no frame."""

    def __enter__(self) -> SessionFeed:
        self._ctx.cancellation.add_observer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self._ctx.cancellation.remove_observer()
        if self._waiter is not None:
            self._waiter.close()

    @property
    def identity(self) -> str:
        """Return the id of the session, of this run."""
        return self._id

    @property
    def has_conversation(self) -> bool:
        """Return True for an agent that records prompts and replies; known once something was read."""
        return bool(self._agent.name)

    @property
    def position(self) -> LivePosition:
        """Return the position after the last frame."""
        return self._position

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the digests of the transcripts, oldest first."""
        return tuple(map(name_transcript, self._paths))

    # -- reading -----------------------------------------------------------------------------------------------

    def history(self, *, newest_bytes: int = 0, before: str = "", until: str = "") -> Iterator[LiveFrame]:
        """Yield the recorded frames after the position. Raise CancellationError, TmuxUnavailable.

        `newest_bytes` begins about that many bytes of transcript before the end instead (0: at the position), and sets
        `omitted_bytes`. `before` is the cursor of the first frame to leave out, with all that follow it; `until` that
        of the last frame. Raise LisaError(invalid_cursor).
        """
        stop = parse_cursor(before or until) if before or until else None
        self.accept(*self.read())
        if newest_bytes:
            self._go_back(newest_bytes, stop)
        for frame in self._read_output():
            if stop is not None and self.precedes(stop, self._position):
                return
            if before and self._position == stop:
                return
            yield frame

    def count_before(self, first: str, most_bytes: int) -> int | None:
        """Return the number of messages before the cursor of one, from those that were counted with the usage.

        None if they were not, or if there are more bytes between the counted ones and the cursor. Raise as `history`.
        """
        self.accept(*self.read())
        known, count = self._find_counted()
        stop = parse_cursor(first)
        if known is None or abs(self._measure(known) - self._measure(stop)) > most_bytes:
            return None
        is_earlier = self.precedes(known, stop)
        self._start = known if is_earlier else stop
        between = self.history(before=first) if is_earlier else self.history(until=known.encode())
        others = sum(frame.type != "usage_delta" for frame in between)
        return count + others if is_earlier else count - others - 1

    def _find_counted(self) -> tuple[LivePosition | None, int]:
        """Return the position up to which the messages were counted, and their number."""
        meta = read_meta(self._ref)
        counted = usage_state.read_state(self._ref, meta.run_id if meta else "").transcripts
        places = {place.path: place for place in counted if not place.helper}
        position, count = None, 0
        for path in self._paths:
            place, size = places.get(path), files.size(path)
            if place is None or place.messages is None or place.offset > size:
                break
            position = LivePosition(source=name_transcript(path), offset=place.offset)
            count += place.messages
            if place.offset < size:
                break
        return position, count

    def _measure(self, position: LivePosition) -> int:
        """Return the bytes of all transcripts before a position."""
        path = self._find_path(position)
        earlier = self._paths[: self._paths.index(path)] if path else []
        return sum(map(files.size, earlier)) + position.offset

    def _go_back(self, newest_bytes: int, stop: LivePosition | None) -> None:
        """Begin a number of bytes before a position, or before the end of the newest transcript."""
        end = self._find_path(stop) if stop is not None else ""
        paths = self._paths[: self._paths.index(end) + 1] if end else self._paths
        last = stop.offset if stop is not None and end else None
        start, self.omitted_bytes = conversations.find_start(paths, newest_bytes, last)
        if start is not None:
            self._begun_calls.clear()
            self._open(*start)

    def _find_path(self, position: LivePosition) -> str:
        """Return the transcript of a position; empty if it is gone."""
        return next((path for path in self._paths if name_transcript(path) == position.source), "")

    def precedes(self, first: LivePosition, second: LivePosition) -> bool:
        """Return True if the first of two positions is the earlier one; one whose transcript is gone is earliest."""
        if first.source == second.source:
            return (first.offset, first.skip) < (second.offset, second.skip)
        order = self.sources
        places = [order.index(each.source) if each.source in order else -1 for each in (first, second)]
        return places[0] < places[1]

    def follow(self) -> Iterator[LiveFrame]:
        """Yield the present status and dialog, then every further frame until `deadline`; the last is `session_end`.

        Raise CancellationError, TmuxUnavailable.
        """
        from lisa_py.core.wait.waiter import Waiter  # noqa: PLC0415 - the recorded frames do not wait for it

        waiter = self._waiter = self._waiter or Waiter(self._ctx, live=True)
        waiter.follow(self._ref.session, [self._ref.folder])
        steps = self.run()
        while True:
            waiter.start_read()
            found = self.read()
            waiter.finish_read({self._ref.session: found})
            self.accept(*found)
            for step in steps:
                if isinstance(step, FeedPause):
                    break
                yield step
            else:
                return
            left = step.seconds
            if self.deadline is not None and step.may_end:
                left = min(left, self.deadline - self._ctx.clock.monotonic())
                if left <= 0:
                    return
            waiter.wait(left)

    def run(self) -> Generator[LiveFrame | FeedPause]:
        """Yield the frames of `follow` and a pause after each read: the caller waits, reads and accepts what it read.

        The caller begins with a read. Raise CancellationError, TmuxUnavailable.
        """
        if self._notices is None:  # before the first frame: its reader knows that all further ones are reported
            self._notices = len(self._read_notices())
        while True:
            if translation.has_ended(self.status) and ending.is_opening(self._ctx, self._ref, self._evidence.meta):
                yield FeedPause(PANE_SECONDS)
                continue
            self._dialogs.read(self._evidence, self.status)
            yield from self._read_output()
            yield from self._report_status()
            yield from self._report_limits()
            if translation.has_ended(self.status):
                yield from self._read_output()
                end = ending.find_end(self._ctx, self._ref, self._id, self.status, self._evidence.pane)
                yield self._build(translation.build_end(end), end.at)
                return
            yield FeedPause(self._choose_pause())

    def _choose_pause(self) -> float:
        """Return the longest time until the next read, if no event comes."""
        if not self._agent.name:
            return PANE_SECONDS
        is_idle = self.status.session_state == "waiting_input" and not self.status.needs_polling
        return IDLE_SECONDS if is_idle else READ_SECONDS

    @property
    def folder(self) -> str:
        """Return the folder of the session."""
        return self._ref.folder

    def read(self) -> tuple[Evidence, Status]:
        """Return the present evidence and status of the session. Raise TmuxUnavailable."""
        return read_with_evidence(self._ctx, self._ref, cache=self._cache)

    def accept(self, evidence: Evidence, status: Status) -> None:
        """Go on with what was read."""
        self._evidence, self.status = evidence, status
        self._agent = Agent() if self._evidence.custom else agents.get_or_default(self._evidence.agent)
        if not self._paths or self._evidence.binding.transcript not in self._paths:  # it reads all hook records
            found = conversations.find_transcripts(self._ctx, self._ref, self._agent, self._evidence.binding)
            self._paths += [path for path in found if path not in self._paths]
        if self._start is not None:
            self._go_to(self._start)
            self._start = None

    def _go_to(self, start: LivePosition) -> None:
        """Begin at a position; at the beginning of everything if its transcript is gone."""
        if not start.source:
            self._position = start
            self.reset = "other_source" if start.offset and self._agent.name else ""
            return
        path = self._find_path(start)
        if not path:
            self.reset = "transcript_gone"
            return
        self._open(path, start.offset)
        self._skip = start.skip

    def _open(self, path: str, offset: int = 0) -> None:
        self._reader = TranscriptReader(self._agent, path, offset)
        self._position = LivePosition(source=name_transcript(path), offset=offset)

    def _read_output(self) -> Iterator[LiveFrame]:
        if not self._paths:
            if not self._agent.name or translation.has_ended(self.status):  # or its transcript is gone
                yield from self._read_pane()
            return
        if self._reader is None:
            self._open(self._paths[0])
        while self._reader is not None:
            if self._ctx.cancellation.is_set:
                raise CancellationError
            before = self._reader.offset
            shortened, records = self._reader.read_records(BLOCK_BYTES)
            if shortened:
                self.reset, self._skip = "transcript_rewritten", 0
            for start, frames in records:
                yield from self._read_record(start, frames)
            if self._reader.offset == before:
                following = self._paths.index(self._reader.path) + 1
                if following >= len(self._paths):
                    return
                self._open(self._paths[following])

    def _read_record(self, start: int, frames: list[Frame]) -> Iterator[LiveFrame]:
        """Yield the frames of one record; the position after its last frame is the end of the record."""
        skip, self._skip = self._skip, 0
        source = self._position.source
        for index, frame in enumerate(frames, 1):
            is_last = index == len(frames)
            position = LivePosition(
                source=source, offset=frame.offset if is_last else start, skip=0 if is_last else index
            )
            if index <= skip:
                continue
            self._position = position
            if frame.kind == "tool_result":
                yield from map(self._build, self._dialogs.close_for(frame.tool_id))
            payload = translation.translate_frame(frame)
            if payload is not None:
                yield self._build(payload, frame.at)
            yield from self._note_call(frame)

    def _note_call(self, frame: Frame) -> Iterator[LiveFrame]:
        """Keep the calls of the newest turn; yield the dialog of a call directly after it."""
        if frame.kind == "turn_start":
            self._begun_calls.clear()
        if frame.kind == "tool_use":
            self._begun_calls.add(frame.tool_id)
            yield from map(self._build, self._dialogs.open_for(frame.tool_id))

    def _read_pane(self) -> Iterator[LiveFrame]:
        """Yield the settled lines of a session without a transcript."""
        text = self._read_text()
        if text is None:
            yield from self._read_last_screen()
            return
        meta = read_meta(self._ref)
        delta = pane_cursor.since_offset(text, self._position.offset, meta.run_id if meta else "")
        if delta.reset and self._position.offset:
            self.reset = delta.reset
        lines = [text.lines[row][delta.skip if row == delta.first else 0 :] for row in range(delta.first, delta.end)]
        self._position = LivePosition(offset=delta.cursor.offset)
        output = "\n".join(line for line in lines if not layout.is_mark(line)).strip("\n")
        if output:
            yield self._build(AssistantPayload(content=frame_lines.clean(output), source="pane"))

    def _read_text(self) -> PaneText | None:
        return pane_text.read(self._ctx, self._ref, self._evidence.pane)

    def _read_last_screen(self) -> Iterator[LiveFrame]:
        """Yield the lines that were saved when the tmux server was ended, once."""
        lines = (files.read(self._ref.output) or b"").decode("utf-8", "replace").split("\n")
        saved = "\n".join(line for line in lines if not layout.is_mark(line)).strip("\n")
        if saved and not self._has_last_screen:
            self._has_last_screen = True
            if self._position.offset:
                self.reset = "history_trimmed"
            self._position = LivePosition(offset=self._position.offset + len(saved.encode()))
            yield self._build(AssistantPayload(content=frame_lines.clean(saved), source="pane"))

    # -- status ------------------------------------------------------------------------------------------------

    def _report_status(self) -> Iterator[LiveFrame | FeedPause]:
        status = self.status
        shown = (status.session_state, status.agent_state, status.waiting_for, status.state_detail)
        if shown != self._shown_status:
            before, self._shown_status = self._shown_status, shown
            yield self._build(translation.build_status(status), self._ended_at)
            if status.agent_state == "interrupted" and len(before) > 1 and before[1] != "interrupted":
                yield self._build(SystemPayload(subtype="interrupted", message="the turn was interrupted"))
        yield from map(self._build, self._dialogs.close_gone())
        yield from self._wait_for_dialogs()
        yield from map(self._build, self._dialogs.open_all())

    def _is_recorded(self, dialog: OpenDialog) -> bool:
        """Return True for a dialog whose tool call and hook are recorded, as far as it has them."""
        has_call = dialog.kind not in dialog_frames.CALL_KINDS or dialog.tool_use_id in self._begun_calls
        return has_call and not self._dialogs.is_preliminary(dialog)

    def _report_limits(self) -> Iterator[LiveFrame]:
        """Yield what the limit process has announced since the feed began to follow."""
        notices, reported = self._read_notices(), self._notices or 0
        for notice in notices[reported:]:
            yield self._build(SystemPayload(subtype=notice.subtype, message=notice.message), notice.at)
        self._notices = max(reported, len(notices))

    def _read_notices(self) -> list[limit_records.LimitNotice]:
        limits = limit_records.read_limits(self._ref)
        return limit_records.read_progress(self._ref, limits.run_id).notices if limits is not None else []

    @property
    def _ended_at(self) -> float:
        """Return the time at which the agent ended; 0 if it has not, or without a record."""
        end = self._evidence.end
        return end.at if end is not None and translation.has_ended(self.status) else 0.0

    def _wait_for_dialogs(self) -> Iterator[LiveFrame | FeedPause]:
        """Yield output until all dialogs are recorded and drawn, for a moment."""
        began = self._ctx.clock.monotonic()
        while waiting := self._dialogs.list_unreported():
            age = self._ctx.clock.monotonic() - began
            if age < CALL_SECONDS and not all(map(self._is_recorded, waiting)):
                pause = CALL_READ_SECONDS
            elif age < DRAW_SECONDS and any(map(self._dialogs.is_undrawn, waiting)):
                pause = DRAW_READ_SECONDS
            else:
                return
            yield FeedPause(pause, may_end=False)
            self._dialogs.read(self._evidence, self.status, awaits_hook=age < CALL_SECONDS)
            yield from self._read_output()

    def _build(self, payload: Payload, at: float = 0.0) -> LiveFrame:
        shown = self._mask.mask_record(payload)
        return translation.build_frame(shown, at or self._ctx.clock.now(), self._id, self._position.encode())
