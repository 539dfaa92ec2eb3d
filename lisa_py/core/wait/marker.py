"""Search the output after the newest input for a text, ignoring echoes of the input."""

from __future__ import annotations

from collections.abc import Iterable

from lisa_py import agents
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.frames import Frame
from lisa_py.core.context import Context
from lisa_py.core.output import prompt_echo
from lisa_py.core.status import transcript
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files
from lisa_py.host.tmux import Pane
from lisa_py.store.paths import SessionRef
from lisa_py.terminal.layout import MARK_PREFIX, Layout

OUTPUT_KINDS = ("assistant", "tool_result", "result", "error")
_ALL_LINES = 10_000_000
_REREAD_LINES = 2000
"""Lines to read again if the number of new ones is unknown."""


class MarkerSearch:
    """A search that reads each line and each transcript record once, from the newest input on."""

    def __init__(self, ctx: Context, ref: SessionRef, marker: str) -> None:
        self._ctx = ctx
        self._ref = ref
        self._marker = marker
        self._reader: transcript.TranscriptReader | None = None
        self._inputs: dict[str, None] = {}
        self._history = -1
        self._activity = -1.0
        self._found = False

    def is_found(self, evidence: Evidence) -> bool:
        """Return True once the marker has been printed."""
        if not self._found:
            in_transcript = self._is_in_transcript(evidence)
            self._found = bool(in_transcript) or self._is_in_pane(evidence, only_supervisor=in_transcript is not None)
        return self._found

    # -- transcript ---------------------------------------------------------------------------------------------

    def _is_in_transcript(self, evidence: Evidence) -> bool | None:
        """Return True if new records hold the marker; None without a transcript."""
        path = evidence.binding.transcript
        if evidence.custom or not path or files.size(path) <= 0:
            return None
        fresh: Iterable[Frame]
        if self._reader is None or self._reader.path != path:
            agent = agents.get_or_default(evidence.agent)
            first = transcript.read_newest(agent, path)
            self._reader = transcript.TranscriptReader(agent, path, first.offset)
            fresh = _frames_since_input(first.frames, evidence.state.last_input_at)
        else:
            fresh = self._reader.read().frames
        return any(frame.kind in OUTPUT_KINDS and self._marker in frame.text for frame in fresh)

    # -- pane ---------------------------------------------------------------------------------------------------

    def _is_in_pane(self, evidence: Evidence, *, only_supervisor: bool) -> bool:
        pane = evidence.pane
        if pane is None or (only_supervisor and not self._marker.startswith(MARK_PREFIX)):
            return False
        prompt = evidence.meta.prompt if evidence.meta else ""
        self._inputs.update(dict.fromkeys(text for text in (prompt, evidence.state.last_input_text) if text))
        text = self._read_new_text(pane)
        if self._marker not in text:
            return False
        if only_supervisor:
            return any(line.startswith(self._marker) for line in text.split("\n"))
        signs = agents.layout_of(evidence.meta)
        return self._marker in self._remove_echoes(text, evidence.state.last_input_text or prompt, signs)

    def _read_new_text(self, pane: Pane) -> str:
        """Return the lines that may be new since the last call, wrapped ones joined; older ones may be included."""
        first = self._history < 0
        moment = self._ctx.clock.now()
        still = pane.history == self._history and pane.activity == self._activity and moment - pane.activity > 2
        if still and not pane.dead:
            return ""
        scrolled = pane.history - self._history
        lines = _ALL_LINES if first else scrolled + pane.height if scrolled > 0 else _REREAD_LINES
        self._history, self._activity = pane.history, pane.activity
        try:
            server = self._ctx.server(self._ref)
            return server.capture([pane.pane_id], history=lines).get(pane.pane_id, "")
        except TmuxUnavailable:
            self._history = -1 if first else self._history
            return ""

    def _remove_echoes(self, text: str, newest: str, signs: Layout) -> str:
        """Return the output after the newest input without rows that echo an input."""
        lines = text.split("\n")
        start = max(prompt_echo.find_echo_rows(lines, [newest], signs), default=-1) + 1
        echoed = prompt_echo.find_echo_rows(lines, tuple(self._inputs), signs)
        return "\n".join(line for row, line in enumerate(lines) if row >= start and row not in echoed)


def _frames_since_input(frames: Iterable[Frame], moment: float) -> list[Frame]:
    """Return the frames of the newest turn that are not older than the newest input."""
    turn: list[Frame] = []
    for frame in frames:
        if frame.kind == "turn_start" or (frame.kind == "user" and not frame.queued):
            turn = []
        turn.append(frame)
    return [frame for frame in turn if not frame.at or frame.at >= moment]
