"""Values that a waiting command keeps between two reads of a status."""

from __future__ import annotations

from collections.abc import Mapping

from lisa_py.agents.base import Agent
from lisa_py.contract.frames import Frame
from lisa_py.core.status.transcript import TranscriptFollower

MAX_FOLLOWERS = 500
MAX_CPU_SAMPLES = 5000


class PollCache:
    """Transcript followers, and the CPU time of processes at the previous read."""

    def __init__(self) -> None:
        self._followers: dict[str, TranscriptFollower] = {}
        self.cpu_samples: dict[tuple[int, float], tuple[float, float]] = {}
        """(pid, start time) -> (monotonic time of the read, CPU seconds)."""

    def follow(self, agent: Agent, path: str) -> tuple[Frame, ...]:
        """Return the frames of the newest turn of a transcript."""
        follower = self._followers.get(path)
        if follower is None:
            if len(self._followers) > MAX_FOLLOWERS:
                self._followers.clear()
            follower = self._followers[path] = TranscriptFollower(agent, path)
        return follower.frames()

    def keep_cpu_samples(self, samples: Mapping[tuple[int, float], tuple[float, float]]) -> None:
        """Add the samples of one read; those of sessions that it did not cover stay."""
        if len(self.cpu_samples) > MAX_CPU_SAMPLES:
            self.cpu_samples.clear()
        self.cpu_samples.update(samples)
