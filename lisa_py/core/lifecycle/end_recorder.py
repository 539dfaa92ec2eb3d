"""Record the end of a session, and archive it before its folder is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.pane import Pane
from lisa_py.store import live_records, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.live_records import RecordedUsage, SessionRecord
from lisa_py.store.paths import SessionRef

if TYPE_CHECKING:
    from lisa_py.core.live.archive import SessionArchive
    from lisa_py.core.live.ending import SessionEnd
    from lisa_py.core.output.pane_text import ChainedTexts


class EndRecorder:
    """Records the end of one session: begun before its processes end, finished before its folder is removed."""

    def __init__(self, ctx: Context, ref: SessionRef, meta: SessionMeta, record: SessionRecord) -> None:
        self._ctx = ctx
        self._ref = ref
        self._meta = meta
        self._record = record
        self._writer: SessionArchive | None = None
        self.archive = ""
        """Id of the archive once it is complete."""
        self.problem = ""
        """Reason why no archive is kept."""

    def begin(self, pane: Pane | None, requested: SessionEnd, *, keep: bool, texts: ChainedTexts | None = None) -> None:
        """Record how the session ended by itself, else how it is being ended; read what only a running one has."""
        from lisa_py.core.live import archive, ending  # noqa: PLC0415 - commands that only spawn do not load them

        natural = ending.find_ending(self._ctx, self._ref, self._meta, pane)
        if not self._record.end_reason:  # an earlier kill that did not finish has set it
            self._note_ending(natural or requested)
        if keep:
            self._writer = archive.SessionArchive(self._ctx, self._ref, self._record, self._meta, pane, texts)

    def _note_ending(self, ending: SessionEnd) -> None:
        record = self._record
        record.end_reason, record.end_detail = ending.reason, ending.detail
        record.ended_at, record.exit_code = ending.time, ending.exit_code
        try:
            live_records.write_record(self._ref, record)
        except LisaError as problem:
            self._ctx.warn_about(problem)

    def finish(self, pane: Pane | None, texts: ChainedTexts | None = None) -> None:
        """Complete record and archive after the end of the processes."""
        if self._writer is None:
            from lisa_py.core.usage import hourly  # noqa: PLC0415 - as above

            hourly.collect_session(self._ctx, self._ref)
            return
        record, end = self._record, self._read_end()
        record.started_at = record.started_at or live_records.read_start_time(self._ref)
        record.ended_at = record.ended_at or format_rfc3339(end.at if end else self._ctx.clock.now())
        record.exit_code = end.code if end else record.exit_code
        self._writer.add_rest(pane, texts)
        record.usage = self._read_usage(self._writer)
        self.problem = self._writer.finish(record)
        self.archive = "" if self.problem else record.id

    def _read_usage(self, writer: SessionArchive) -> RecordedUsage | None:
        from lisa_py.core.usage.recorded import read_recorded_usage  # noqa: PLC0415 - as above

        try:
            return read_recorded_usage(self._ctx, self._ref, writer.agent, writer.transcripts, log=True)
        except (LisaError, OSError) as problem:
            self._ctx.warn(f"usage of {self._ref.session} is not counted: {problem}")
            return None

    def _read_end(self) -> session_records.EndRecord | None:
        try:
            end = session_records.read_end(self._ref)
        except UnreadableRecord:
            return None
        return end if end is not None and end.run_id == self._meta.run_id else None


def begin_end(
    ctx: Context,
    ref: SessionRef,
    pane: Pane | None,
    reason: str,
    detail: str = "",
    *,
    keep: bool = True,
    texts: ChainedTexts | None = None,
) -> EndRecorder | None:
    """Return the begun end of a session; None if it has no readable metadata.

    `texts` has the texts of panes that are read together.
    """
    from lisa_py.core.live.ending import SessionEnd  # noqa: PLC0415 - as above

    meta, record = ctx.read_meta(ref), live_records.read_readable(ref)
    if meta is None or record is None:
        return None
    recorder = EndRecorder(ctx, ref, meta, record)
    recorder.begin(pane, SessionEnd(reason=reason, detail=detail), keep=keep, texts=texts)
    return recorder
