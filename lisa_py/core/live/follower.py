"""Follow the sessions of a process in one thread: wait for all of them, read and deliver one by one."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.live import LiveFrame
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.live.feed import FeedPause, SessionFeed
from lisa_py.core.status.evidence import Evidence
from lisa_py.host.clock import Clock
from lisa_py.host.env import Settings
from lisa_py.host.wakeup import Wakeup

if TYPE_CHECKING:
    from lisa_py.core.wait.waiter import Waiter

SLICE_SECONDS = 0.05
"""Time for the frames of one session until the others have their turn."""
SPACE_SECONDS = 0.05
"""Interval at which a frame is offered again that a subscriber has no space for."""
HANG_SECONDS = 1.0
"""Time of a step, such as a read of a disk that does not answer, after which another thread follows the others."""
LONGEST_SECONDS = 3600.0


class FollowedSession:
    """A session with readers of its frames, as a follower sees it."""

    def __init__(self, feed: SessionFeed) -> None:
        self._feed = feed

    @property
    def feed(self) -> SessionFeed:
        return self._feed

    def prepare(self, frame: LiveFrame) -> Callable[[], bool]:
        """Return the delivery of a frame, to be called until it returns True: a reader may have no space for it."""
        raise NotImplementedError

    def finish(self, reason: str) -> None:
        """Note that no further frame comes."""
        raise NotImplementedError


class _Task(Struct, eq=False):
    """The work of a follower for one session."""

    session: FollowedSession
    steps: Generator[LiveFrame | FeedPause]
    wake_at: float = 0.0
    """Time of the next step if no event comes."""
    pending: Callable[[], bool] | None = None
    """Delivery that waits for space."""
    is_paused: bool = True
    """The feed waits for the next read."""
    latest: tuple[Evidence, Status] | None = None
    """The newest read that the feed does not have yet."""


class _Step(Struct, frozen=True):
    """The present work of a thread, for one session or, with an empty key, for all."""

    key: str
    began: float


class Follower:
    """One thread with its sessions."""

    def __init__(self, settings: Settings, note_busy: Callable[[], None]) -> None:
        """`note_busy` is called at the begin of each step."""
        self.settings = settings
        self._note_busy = note_busy
        self._ctx = Context(settings)
        self._clock = self._ctx.clock
        self._changed = threading.Condition()
        """Protects the following fields, and is notified after each step."""
        self._tasks: dict[str, _Task] = {}
        self._left: list[str] = []
        """Sessions that the waiter still has."""
        self._step: _Step | None = None
        self._is_open = True
        """More sessions may join."""
        self.has_ended = False
        self._ready: dict[str, None] = {}
        """Sessions with something to do, in the order of their turns."""
        self._due: set[str] = set()
        """Sessions to read because of their events or intervals."""
        self._wakeup = Wakeup()

    def start(self) -> None:
        """Start the thread. Raise RuntimeError if the system has no more threads."""
        try:
            threading.Thread(target=self._run, name="follower", daemon=True).start()
        except RuntimeError:
            self._wakeup.close()
            raise

    # -- for other threads -------------------------------------------------------------------------------------

    def join(self, tasks: Mapping[str, _Task]) -> bool:
        """Follow some more sessions; return False if this follower takes none."""
        with self._changed:
            if not self._is_open:
                return False
            self._tasks.update(tasks)
            self._wakeup.wake()
            return True

    def take(self, key: str) -> _Task | None:
        """Follow a session no longer; return its task, None if it is not followed here."""
        with self._changed:
            task = self._remove(key)
            if task is not None:
                self._wakeup.wake()
            return task

    def await_step(self, key: str) -> bool:
        """Wait until the present step is not one for the session; return False if it hangs."""
        with self._changed:
            return self._changed.wait_for(lambda: self._step is None or self._step.key != key, HANG_SECONDS)

    def _remove(self, key: str) -> _Task | None:
        task = self._tasks.pop(key, None)
        if task is not None:
            self._left.append(key)
        return task

    def take_held_up(self) -> tuple[bool, dict[str, _Task]]:
        """Give up the sessions that a hanging step holds up; return also whether there is a step at all."""
        with self._changed:
            step = self._step
            if step is None or self._clock.monotonic() - step.began < HANG_SECONDS:
                return step is not None, {}
            taken = {key: task for key, task in self._tasks.items() if key != step.key}
            for key, task in taken.items():
                self._remove(key)
                task.wake_at = 0.0  # what has changed meanwhile is no event for another watcher
            self._is_open = False
            return True, taken

    # -- its own thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._follow()
        except Exception:  # too many open files, for example
            _report_problem()
        finally:
            with self._changed:
                self._is_open, self.has_ended = False, True
                left, self._tasks = self._tasks, {}
                self._wakeup.close()
            for task in left.values():
                task.session.finish("internal_error")

    def _follow(self) -> None:
        from lisa_py.core.wait.waiter import Waiter  # noqa: PLC0415 - the recorded frames do not wait for it

        known: set[str] = set()
        around = lambda: self._stepping("")  # noqa: E731
        with Waiter(self._ctx, live=True, wakeup=self._wakeup, around_check=around) as waiter:
            while self._take_changes(waiter, known):
                pause = 0.0 if self._ready else self._choose_wait()
                self._note_due(waiter.wait(pause) if pause > 0 else waiter.poll())
                if self._ready:
                    key = next(iter(self._ready))
                    del self._ready[key]
                    self._run_step(waiter, key)

    def _take_changes(self, waiter: Waiter, known: set[str]) -> bool:
        """Let the waiter know who has come and who has left; return False if there is no session any more."""
        with self._changed:
            left, self._left = self._left, []
            new = {key: task for key, task in self._tasks.items() if key not in known}
            if not self._tasks:
                self._is_open, self.has_ended = False, True
        for key in left:
            known.discard(key)
            waiter.unfollow(key)
        for key, task in new.items():
            known.add(key)
            with self._stepping(key):
                waiter.follow(key, [task.session.feed.folder])
        return not self.has_ended

    @contextlib.contextmanager
    def _stepping(self, key: str) -> Iterator[None]:
        with self._changed:
            self._step = _Step(key, self._clock.monotonic())
        self._note_busy()
        try:
            yield
        finally:
            with self._changed:
                self._step = None
                self._changed.notify_all()

    def _choose_wait(self) -> float:
        with self._changed:
            soonest = min((task.wake_at for task in self._tasks.values()), default=0.0)
        return min(LONGEST_SECONDS, soonest - self._clock.monotonic())

    def _note_due(self, keys: Collection[str]) -> None:
        now = self._clock.monotonic()
        self._due |= set(keys)
        with self._changed:
            for key, task in self._tasks.items():
                if key in keys or task.wake_at <= now:
                    self._ready[key] = None

    def _run_step(self, waiter: Waiter, key: str) -> None:
        with self._stepping(key):
            with self._changed:
                task = self._tasks.get(key)
            if task is None:
                self._due.discard(key)
                return
            if reason := self._advance_or_end(waiter, key, task):
                with self._changed:
                    self._remove(key)
                task.session.finish(reason)

    def _advance_or_end(self, waiter: Waiter, key: str, task: _Task) -> str:
        """Return the reason of the end of a session."""
        try:
            if key in self._due or (task.is_paused and task.latest is None):
                self._due.discard(key)
                waiter.start_read()
                task.latest = task.session.feed.read()
                waiter.finish_read({key: task.latest})
            return self._advance(task)
        except CancellationError:
            return "closed"
        except LisaError as problem:
            return problem.code
        except Exception:  # the other sessions go on
            _report_problem()
            return "internal_error"

    def _advance(self, task: _Task) -> str:
        """Deliver the next frames; return the reason of the end if there is none after them."""
        began = self._clock.monotonic()
        if task.pending is not None:
            if not task.pending():
                task.wake_at = began + SPACE_SECONDS
                return ""
            task.pending = None
        if task.is_paused and task.latest is not None:
            task.session.feed.accept(*task.latest)
            task.is_paused, task.latest = False, None
        for item in task.steps:
            now = self._clock.monotonic()
            if isinstance(item, FeedPause):
                task.is_paused = True
                task.wake_at = now if task.latest is not None else now + item.seconds
                return ""
            deliver = task.session.prepare(item)
            if not deliver():
                task.pending, task.wake_at = deliver, now + SPACE_SECONDS
                return ""
            if now >= began + SLICE_SECONDS:
                task.wake_at = now
                return ""
        return "session_ended"


def _report_problem() -> None:
    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


class FollowerGroup:
    """The followers of a process: one, and one more for each session that hangs."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._lock = threading.Lock()
        self._followers: list[Follower] = []
        self._numbers = count()
        self._busy = threading.Event()
        self._has_watch = False

    def join(self, settings: Settings, session: FollowedSession) -> str:
        """Follow a session; return the key with which it can leave."""
        key = str(next(self._numbers))
        with self._lock:
            if not self._has_watch:
                threading.Thread(target=self._watch, name="watch of followers", daemon=True).start()
                self._has_watch = True
            self._add(settings, {key: _Task(session, session.feed.run())})
        return key

    def _add(self, settings: Settings, tasks: Mapping[str, _Task]) -> None:
        self._followers = [each for each in self._followers if not each.has_ended]
        if any(each.settings == settings and each.join(tasks) for each in self._followers):
            return
        made = Follower(settings, self._note_busy)
        made.join(tasks)
        made.start()
        self._followers.append(made)

    def leave(self, key: str) -> None:
        """Follow a session no longer; its feed is not used any more, or at the most until its hanging step ends."""
        with self._lock:
            found = ((each, each.take(key)) for each in self._followers)
            follower, task = next(((each, task) for each, task in found if task is not None), (None, None))
        if follower is not None and task is not None and follower.await_step(key):
            task.steps.close()

    def _note_busy(self) -> None:
        if not self._busy.is_set():
            self._busy.set()

    def _watch(self) -> None:
        """Let another follower go on with the sessions that a hanging step holds up."""
        while True:
            self._busy.wait()
            self._busy.clear()
            self._clock.sleep(HANG_SECONDS / 2)
            with self._lock:
                for follower in list(self._followers):
                    has_step, tasks = follower.take_held_up()
                    if has_step:
                        self._busy.set()
                    if tasks:
                        self._move(follower.settings, tasks)

    def _move(self, settings: Settings, tasks: Mapping[str, _Task]) -> None:
        try:
            self._add(settings, tasks)
        except (OSError, RuntimeError):  # no more handles or threads
            _report_problem()
            for task in tasks.values():
                task.session.finish("internal_error")


FOLLOWERS = FollowerGroup()
"""The followers of this process."""
