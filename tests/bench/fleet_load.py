"""Random work on many sessions by several workers, with a check of every state and of every wait."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.commands.test_peer import Peer
from tests.lisa_host import LisaHost

WAIT_SECONDS = 60
"""A wait that takes longer is lost: what it waits for takes a second."""


class Conversation:
    """Requests over one `lisa peer`, several at a time."""

    def __init__(self, machine: LisaHost) -> None:
        self._peer = Peer(machine)
        self._numbers = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self.pid = self._peer.process.pid

    def begin(self, command: str, **args: Any) -> int:
        """Send a request; return its number."""
        number = next(self._numbers)
        self._peer.write(id=number, command=command, args=args)
        return number

    def end(self, number: int) -> dict[str, Any]:
        """Return the answer to a request, or its error."""
        while number not in self._answers:
            message = self._peer.read()
            if "exitCode" in message:
                self._answers[message["id"]] = message
        message = self._answers.pop(number)
        found: dict[str, Any] = message.get("answer") or message["error"]
        return found

    def call(self, command: str, **args: Any) -> dict[str, Any]:
        return self.end(self.begin(command, **args))

    def close(self) -> None:
        self._peer.close()


class WorkedSession:
    """One session that a worker reserves while it acts on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held = threading.Lock()
        self.turns = 0
        self.answers: list[str] = []
        """Answers of the present run in order."""
        self.read: list[str] = []
        """The same as read by its cursor file."""


class FleetLoad:
    """The sessions, and what was found while they were worked on."""

    def __init__(self, machine: LisaHost, count: int, seed: int) -> None:
        self._machine = machine
        self._sessions = [WorkedSession(f"lisa-load-{number}") for number in range(count)]
        self._seed = seed
        self._stopped = threading.Event()
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        """Wrong states, lost waits and lost output."""
        self.reactions: list[float] = []
        """Seconds from the cause of a change to the answer of the wait for it."""

    def spawn_all(self, conversation: Conversation) -> None:
        for session in self._sessions:
            self._spawn(conversation, session)

    def work(self, conversation: Conversation, number: int, pause: float) -> None:
        """Act on random sessions until `stop`."""
        dice = random.Random(self._seed + number)
        while not self._stopped.wait(pause * dice.random() * 2):
            session = dice.choice(self._sessions)
            if not session.held.acquire(blocking=False):
                continue
            action = dice.choices(list(ACTIONS), list(ACTIONS.values()))[0]
            try:
                for problem in action(self, conversation, session):
                    self.problems.append(f"{session.name}, {action.__name__}, turn {session.turns}: {problem}")
            except Exception as problem:
                self.problems.append(f"{session.name}, {action.__name__}: {problem!r}")
                raise
            finally:
                session.held.release()
            self.done[action.__name__.removeprefix("do_")] += 1

    def stop(self) -> None:
        self._stopped.set()

    # -- actions -----------------------------------------------------------------------------------------------

    def _spawn(self, conversation: Conversation, session: WorkedSession) -> None:
        made = conversation.call(
            "session spawn",
            session=session.name,
            agent="scripted",
            mode="interactive",
            noDangerouslySkipPermissions=True,
        )
        assert made.get("runId"), made
        session.answers, session.read = [], []

    def _send(self, conversation: Conversation, session: WorkedSession, script: str, text: str = "") -> str:
        """Send directives that end in an answer; return the answer."""
        session.turns += 1
        answer = text or f"answer {session.turns} of {session.name}"
        sent = conversation.call("session send", session=session.name, text=f"{script}[say {answer}]", enter=True)
        assert sent.get("ok"), sent
        return answer

    def _monitor(self, conversation: Conversation, session: WorkedSession, **more: Any) -> int:
        return conversation.begin(
            "session monitor", session=session.name, timeoutSeconds=WAIT_SECONDS, pollInterval=10, **more
        )

    def _check_turn(self, conversation: Conversation, session: WorkedSession, wait: int, answer: str) -> Iterator[str]:
        """Yield what is wrong at the end of a turn."""
        session.answers.append(answer)
        ended = conversation.end(wait)
        if ended.get("exitReason") != "waiting_input":
            yield f"the wait for the end of a turn answered {ended}"
        status = conversation.call("session status", session=session.name)
        if (status.get("sessionState"), status.get("waitingFor")) != ("waiting_input", "prompt"):
            yield f"the state after a turn is {status}"
        last = conversation.call("session capture", session=session.name, last=True)
        if answer not in last.get("capture", ""):
            yield f"the end of the turn was reported before its answer: {last}"

    def do_turn(self, conversation: Conversation, session: WorkedSession) -> Iterator[str]:
        answer = self._send(conversation, session, "[run seq 50] ")
        yield from self._check_turn(conversation, session, self._monitor(conversation, session), answer)

    def do_gate(self, conversation: Conversation, session: WorkedSession) -> Iterator[str]:
        """A turn that ends on request: the time until its end is reported is measured."""
        gate = self._machine.folder / f"gate-{session.name}-{session.turns}"
        answer = self._send(conversation, session, f"[wait {gate}] ")
        wait = self._monitor(conversation, session)
        status = conversation.call("session status", session=session.name)
        if status.get("sessionState") != "in_progress":
            yield f"the state in a turn is {status}"
        gate.touch()
        began = time.monotonic()
        ended = conversation.end(wait)
        self.reactions.append(time.monotonic() - began)
        again = self._monitor(conversation, session)
        yield from self._check_turn(conversation, session, again, answer)
        if ended.get("exitReason") != "waiting_input":
            yield f"the wait at a gate answered {ended}"
        gate.unlink()

    def do_permission(self, conversation: Conversation, session: WorkedSession) -> Iterator[str]:
        answer = self._send(conversation, session, f"[ask echo {session.turns}] ")
        asked = conversation.end(self._monitor(conversation, session))
        if asked.get("waitingFor") != "permission":
            yield f"the wait for a question answered {asked}"
        decided = conversation.call("session approve", session=session.name)
        if not decided.get("ok"):
            yield f"the approval answered {decided}"
        yield from self._check_turn(conversation, session, self._monitor(conversation, session), answer)

    def do_read(self, conversation: Conversation, session: WorkedSession) -> Iterator[str]:
        """Read the output since the last call: each answer occurs once, in order."""
        path = str(self._machine.folder / f"cursor-{session.name}")
        new = conversation.call("session capture", session=session.name, transcript=True, cursorFile=path)
        if new.get("errorCode") == "transcript_unavailable" and not session.answers:
            return
        session.read += [each["text"] for each in new["messages"] if each["role"] == "assistant"]
        if session.read != session.answers:
            yield f"read {session.read[-3:]} in place of {session.answers[-3:]}"
            session.read = list(session.answers)

    def do_crash(self, conversation: Conversation, session: WorkedSession) -> Iterator[str]:
        wait = self._monitor(conversation, session, stopOnWaiting=False)
        sent = conversation.call("session send", session=session.name, text="[crash 3]", enter=True)
        ended = conversation.end(wait)
        if ended.get("finalState") != "crashed" or ended.get("exitCode") != 3:
            yield f"the wait for a crash answered {ended}, the send {sent}"
        yield from self.do_kill(conversation, session)

    def do_kill(self, conversation: Conversation, session: WorkedSession) -> Iterator[str]:
        killed = conversation.call("session kill", session=session.name)
        if not killed.get("ok") or killed.get("left"):
            yield f"the kill answered {killed}"
        gone = conversation.call("session exists", session=session.name)
        if gone.get("exists") is not False:
            yield f"after the kill it exists: {gone}"
        self._spawn(conversation, session)


ACTIONS: dict[Callable[[FleetLoad, Conversation, WorkedSession], Iterator[str]], float] = {
    FleetLoad.do_turn: 8,
    FleetLoad.do_gate: 8,
    FleetLoad.do_permission: 4,
    FleetLoad.do_read: 6,
    FleetLoad.do_crash: 1,
    FleetLoad.do_kill: 1,
}
"""The actions with their frequency."""
