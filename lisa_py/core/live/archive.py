"""Archive a session that is being ended, and read its frames after the end."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import msgspec

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.contract.live import LiveFrame, decode_frame
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.live import conversations, ending, translation
from lisa_py.core.live.ending import SessionEnd
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.live.position import LivePosition, parse_cursor
from lisa_py.core.live.prompt_ids import PromptIds
from lisa_py.core.output import pane_text
from lisa_py.core.output.pane_text import ChainedTexts, PaneText
from lisa_py.core.status import agent_reports
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files, processes
from lisa_py.host.pane import Pane
from lisa_py.store import archives, live_records
from lisa_py.store.archives import ArchiveBlock, ArchiveIndex, ArchiveWriter
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import SessionRef


class _RecordedFeed(SessionFeed):
    """The recorded frames of a session, without its status: its processes may be ended meanwhile."""

    def __init__(self, ctx: Context, ref: SessionRef, meta: SessionMeta, pane: Pane | None) -> None:
        super().__init__(ctx, ref)
        self.texts: ChainedTexts | None = None
        """Texts of panes that are read together."""
        self.conversation = self.transcript = ""
        self._meta = meta
        self._evidence = Evidence(session=ref.session, pane=pane)
        if not meta.custom_command:
            self._agent = agents.get_or_default(meta.agent)
        self._add_transcripts(pane)

    def _add_transcripts(self, pane: Pane | None) -> None:
        """Find the transcripts; those that only the running agent names must be found before its end."""
        if not self._agent.name:
            return
        tree = processes.read_tree(pane.pid) if pane is not None and not pane.dead else ()
        view = agent_reports.build_view(self._ctx, self._ref, self._agent, self._meta, tree=tree)
        binding = self._agent.bind(view)
        if pane is not None or not self.conversation:
            self.conversation, self.transcript = binding.session_id, binding.transcript
        found = conversations.find_transcripts(self._ctx, self._ref, self._agent, binding)
        self._paths += [path for path in found if path not in self._paths]

    @property
    def agent(self) -> Agent:
        return self._agent

    @property
    def transcripts(self) -> tuple[str, ...]:
        return tuple(self._paths)

    @property
    def has_transcript(self) -> bool:
        return bool(self._agent.name)

    def _read_text(self) -> PaneText | None:
        pane = self._evidence.pane
        text = self.texts.take(pane) if self.texts is not None and pane is not None else None
        if pane is None or text is None:
            return super()._read_text()
        return pane_text.build(self._ctx, self._ref, pane, text)

    def read_rest(self, pane: Pane | None) -> Iterator[LiveFrame]:
        """Yield the frames that were not read yet, after the end of the processes."""
        self._evidence.pane = pane
        self._add_transcripts(None)
        return self._read_output()

    def read_notices(self) -> Iterator[LiveFrame]:
        """Yield what the limit process has announced; it has no place in a transcript."""
        self._notices = 0
        return self._report_limits()

    def read_last_lines(self, pane: Pane) -> list[LiveFrame]:
        """Return what a pane has printed since; nothing if it was cleared or is gone."""
        try:
            frames = list(self.read_rest(pane))
        except LisaError:
            return []
        return [] if self.reset else frames


class SessionArchive:
    """The archive of one session: begun before its processes end, finished after it."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        record: SessionRecord,
        meta: SessionMeta,
        pane: Pane | None,
        texts: ChainedTexts | None = None,
    ) -> None:
        """Read what only the running session has; a failure is reported by `finish`."""
        self._ctx = ctx
        self._ref = ref
        self._record = record
        self._meta = meta
        self._writer: ArchiveWriter | None = None
        self._feed: _RecordedFeed | None = None
        self._problem = ""
        self._prompts = PromptIds(ctx, ref)
        if files.is_dir(SessionRef(ref.project, ref.session, record.id).folder):
            return  # made by a kill that was itself ended before it removed the session folder
        try:
            self._writer = ArchiveWriter(ref, record.id)
            self._feed = _RecordedFeed(ctx, ref, meta, pane)
            self._feed.texts = texts
            if not self._feed.has_transcript:
                self._add(self._feed.read_rest(pane))
        except (LisaError, OSError) as problem:
            self._give_up(problem)

    @property
    def agent(self) -> Agent:
        return self._feed.agent if self._feed is not None else Agent()

    @property
    def transcripts(self) -> tuple[str, ...]:
        return self._feed.transcripts if self._feed is not None else ()

    def _add(self, frames: Iterator[LiveFrame]) -> None:
        assert self._writer is not None
        for frame in map(self._prompts.name, frames):
            self._writer.add(msgspec.json.encode(frame), frame.cursor)

    def _give_up(self, problem: Exception) -> None:
        self._problem = str(problem)
        if self._writer is not None:
            self._writer.discard()

    def add_rest(self, pane: Pane | None, texts: ChainedTexts | None = None) -> None:
        """Add what was written until the end of the processes."""
        if self._problem or self._feed is None:
            return
        self._feed.texts = texts
        try:
            if self._feed.has_transcript:
                self._add(self._feed.read_rest(None))
            if not self._feed.transcripts and pane is not None:  # a command, or an agent that failed at its start
                self._add(iter(self._feed.read_last_lines(pane)))
            self._add(self._feed.read_notices())
        except (LisaError, OSError) as problem:
            self._give_up(problem)

    def finish(self, record: SessionRecord) -> str:
        """Make the archive visible under the id of the session; return the reason why none is kept, or nothing."""
        if self._problem or self._writer is None or self._feed is None:
            return self._problem
        record.conversation, record.transcript = self._feed.conversation, self._feed.transcript
        try:
            self._writer.finish(record, self._meta, self._feed.sources)
        except (LisaError, OSError) as problem:
            self._give_up(problem)
        return self._problem


class ArchivedFeed(SessionFeed):
    """The frames of an archived session; cursors of its lifetime are valid."""

    def __init__(self, ctx: Context, ref: SessionRef, since: str = "") -> None:
        """Raise LisaError: session_not_found, invalid_cursor, archive_unreadable."""
        super().__init__(ctx, ref, since)
        try:
            self._index: ArchiveIndex = archives.read_index(ref)
            self._record = live_records.read_record(ref)
        except UnreadableRecord as problem:
            raise LisaError("archive_unreadable", f"the archive cannot be read: {problem}") from problem
        self.status = build_archived_status(ref, self._record)
        self._check_start()

    @property
    def sources(self) -> tuple[str, ...]:
        return self._index.sources

    def _check_start(self) -> None:
        """Start from the beginning if the position is not in this archive."""
        start, sources = self._start, self.sources
        if start is None:
            return
        if start.source and start.source not in sources:
            self.reset, self._start = "transcript_gone", None
        elif not start.source and sources:
            self.reset, self._start = "other_source" if start.offset else "", None

    def count_before(self, first: str, most_bytes: int) -> int | None:
        return None

    def history(self, *, newest_bytes: int = 0, before: str = "", until: str = "") -> Iterator[LiveFrame]:
        stop = parse_cursor(before or until) if before or until else None
        blocks = self._index.blocks
        first = self._find_first(newest_bytes, stop)
        start = None if newest_bytes else self._start
        for block in blocks[first:]:
            for frame in self._read_block(block):
                position = parse_cursor(frame.cursor)
                if start is not None and not self.precedes(start, position):
                    continue
                if stop is not None and (self.precedes(stop, position) or (before and position == stop)):
                    return
                self._start = self._position = position
                yield frame

    def _find_first(self, newest_bytes: int, stop: LivePosition | None) -> int:
        """Return the number of the block to begin with, and set `omitted_bytes`."""
        blocks = self._index.blocks
        ends = [parse_cursor(block.last) for block in blocks]
        if not newest_bytes:
            start = self._start
            return next((at for at, end in enumerate(ends) if start is None or self.precedes(start, end)), len(blocks))
        last = len(blocks)
        if stop is not None:
            last = next((at + 1 for at, end in enumerate(ends) if not self.precedes(end, stop)), last)
        first = last
        while first > 0 and sum(block.raw_bytes for block in blocks[first:last]) < newest_bytes:
            first -= 1
        self.omitted_bytes = sum(block.raw_bytes for block in blocks[:first])
        return first

    def _read_block(self, block: ArchiveBlock) -> Iterator[LiveFrame]:
        for line in archives.read_block(self._ref, block):
            frame = decode_frame(line)
            if frame is not None:
                yield frame

    def follow(self) -> Iterator[LiveFrame]:
        """Yield the frames after the position, then `session_end`."""
        return self.run()

    def read(self) -> tuple[Evidence, Status]:
        """Return the recorded end."""
        return self._evidence, self.status

    def accept(self, evidence: Evidence, status: Status) -> None:
        """Change nothing: an archive does not grow."""

    def run(self) -> Generator[LiveFrame]:
        yield from self.history()
        end = ending.read_end(self._record) if self._record is not None else SessionEnd(reason="failed")
        yield self._build(translation.build_end(end), end.at)


def build_archived_status(ref: SessionRef, record: SessionRecord | None) -> Status:
    """Return the status of a session that has ended and was killed."""
    reason = record.end_reason if record is not None else ""
    state = {"completed": "completed", "failed": "crashed"}.get(reason, "not_found")
    return Status(
        session=ref.session,
        agent=record.agent if record is not None else "",
        session_state=state,
        agent_state="exited" if state != "not_found" else "gone",
    )


def open_feed(ctx: Context, ref: SessionRef, since: str = "") -> SessionFeed:
    """Return the feed of a session or of its archive. Raise LisaError: session_not_found, invalid_cursor."""
    return ArchivedFeed(ctx, ref, since) if ref.archive else SessionFeed(ctx, ref, since)
