"""Looks for a text in what a session puts out after the newest input, and never in that input shown again."""

from __future__ import annotations

from collections.abc import Iterable

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.frames import Frame
from lisa_py.core.context import Context
from lisa_py.core.watch import transcript
from lisa_py.core.watch.evidence import Evidence
from lisa_py.host import files
from lisa_py.host.tmux import Pane
from lisa_py.store.places import Place

OUTPUT = ("assistant", "tool_result", "result", "error")
OWN = "__LISA_"
"""Begins the lines that the supervisor itself prints."""
_ALL = 10_000_000
_GAP = 2000
"""Lines that are read again when it is not known how many are new."""
_FRAME = frozenset("│┃║|❯›>╭╮╰╯─━")
_SUFFIX = 12
"""Characters of an input's end that are taken for its echo when the rest is scrolled out."""


class MarkerSearch:
    """Sees each line and each transcript record once, from the newest input on, whoever prints how fast."""

    def __init__(self, ctx: Context, place: Place, marker: str) -> None:
        self._ctx = ctx
        self._place = place
        self._marker = marker
        self._reader: transcript.Reader | None = None
        self._inputs: dict[str, None] = {}
        self._history = -1
        self._activity = -1.0
        self._echo_seen = False
        self._found = False

    def found(self, evidence: Evidence) -> bool:
        """Whether the marker has come out by now; stays true."""
        if not self._found:
            told = self._in_transcript(evidence)
            self._found = bool(told) or self._in_pane(evidence, only_own=told is not None)
        return self._found

    # -- transcript ---------------------------------------------------------------------------------------------

    def _in_transcript(self, evidence: Evidence) -> bool | None:
        """None when there is no transcript to speak for the session."""
        path = evidence.binding.transcript
        if evidence.custom or not path or files.size(path) <= 0:
            return None
        fresh: Iterable[Frame]
        if self._reader is None or self._reader.path != path:
            agent = _agent(evidence.agent)
            first = transcript.newest(agent, path)
            self._reader = transcript.Reader(agent, path, first.offset)
            fresh = _since_input(first.frames, evidence.state.last_input_at)
        else:
            fresh = self._reader.read().frames
        return any(frame.kind in OUTPUT and self._marker in frame.text for frame in fresh)

    # -- pane ---------------------------------------------------------------------------------------------------

    def _in_pane(self, evidence: Evidence, *, only_own: bool) -> bool:
        pane = evidence.pane
        if pane is None or (only_own and not self._marker.startswith(OWN)):
            return False
        prompt = evidence.meta.prompt if evidence.meta else ""
        self._inputs.update(dict.fromkeys(text for text in (prompt, evidence.state.last_input_text) if text))
        text = self._new_text(pane)
        if self._marker not in text:
            return False
        if only_own:
            return any(line.startswith(self._marker) for line in text.split("\n"))
        return self._marker in self._without_echoes(text, evidence.state.last_input_text or prompt)

    def _new_text(self, pane: Pane) -> str:
        """The lines that may be new since the last call (some more do no harm), long ones joined."""
        first = self._history < 0
        moment = self._ctx.clock.now()
        still = pane.history == self._history and pane.activity == self._activity and moment - pane.activity > 2
        if still and not pane.dead:
            return ""
        scrolled = pane.history - self._history
        lines = _ALL if first else scrolled + pane.height if scrolled > 0 else _GAP
        self._history, self._activity = pane.history, pane.activity
        try:
            server = self._ctx.server(self._place)
            return server.capture([pane.pane_id], history=lines).get(pane.pane_id, "")
        except TmuxUnavailable:
            self._history = -1 if first else self._history
            return ""

    def _without_echoes(self, text: str, newest: str) -> str:
        """The output after the newest input, without any input shown again."""
        letters, places = squeezed(text)
        masked = list(text)
        start = 0
        for shown in self._inputs:
            wanted, _ = squeezed(shown)
            if not wanted:
                continue
            at = letters.find(wanted)
            while at >= 0:
                end = at + len(wanted)
                _mask(masked, places[at], places[end - 1])
                if shown == newest:
                    start = places[end - 1] + 1
                # an input that is the marker itself is shown once; every further one is an answer
                at = -1 if wanted in squeezed(self._marker)[0] else letters.find(wanted, end)
            cut = _cut_echo(letters, wanted)
            if cut:
                _mask(masked, 0, places[cut - 1])
        return "".join(masked[start:])


def _agent(name: str) -> Agent:
    try:
        return agents.get(name)
    except LisaError:
        return Agent()


def _since_input(frames: Iterable[Frame], moment: float) -> list[Frame]:
    """Frames of the newest turn, unless it began before the newest input."""
    turn: list[Frame] = []
    for frame in frames:
        if frame.kind == "turn_start" or (frame.kind == "user" and not frame.queued):
            turn = []
        turn.append(frame)
    return [frame for frame in turn if not frame.at or frame.at >= moment]


def squeezed(text: str) -> tuple[str, list[int]]:
    """The text without white space and frames (terminals put them in where they like), and where each letter was."""
    places = [at for at, letter in enumerate(text) if not letter.isspace() and letter not in _FRAME]
    return "".join(text[at] for at in places), places


def _cut_echo(letters: str, wanted: str) -> int:
    """How many letters at the very top are the end of an input whose beginning has scrolled out."""
    for size in range(min(len(letters), len(wanted) - 1), _SUFFIX - 1, -1):
        if letters.startswith(wanted[-size:]):
            return size
    return 0


def _mask(masked: list[str], first: int, last: int) -> None:
    for at in range(first, last + 1):
        if masked[at] != "\n":
            masked[at] = "\0"
