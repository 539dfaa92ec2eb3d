"""What a waiter keeps from look to look, so that a look costs only what is new."""

from __future__ import annotations

from lisa_py.agents.base import Agent
from lisa_py.contract.frames import Frame
from lisa_py.core.status.transcript import TranscriptFollower


class PollCache:
    """Transcripts being followed, and the CPU time processes had used at the last look."""

    def __init__(self) -> None:
        self._followers: dict[str, TranscriptFollower] = {}
        self.cpu_samples: dict[tuple[int, float], tuple[float, float]] = {}
        """(pid, start time) -> (monotonic time of the look, CPU seconds)."""

    def follow(self, agent: Agent, path: str) -> tuple[Frame, ...]:
        """The newest turn of a transcript."""
        follower = self._followers.get(path)
        if follower is None:
            if len(self._followers) > 500:
                self._followers.clear()
            follower = self._followers[path] = TranscriptFollower(agent, path)
        return follower.frames()
