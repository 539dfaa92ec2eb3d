"""A session with an outbox."""

from __future__ import annotations

from typing import Any

from lisa_py.store import outbox_records
from tests.polling import wait_until
from tests.session_harness import SessionHarness


class OutboxStage(SessionHarness):
    """One session, and its outbox as others see it."""

    def queue(self, text: str, when: str = "idle", *flags: str, **more: Any) -> str:
        """Put a text into the outbox; return its id."""
        answer = self.lisa("send", "--text=" + text, "--when", when, *flags, **more)
        assert (answer.code, answer.json["ok"]) == (0, True), answer
        return str(answer.json["outboxId"])

    def states(self) -> list[str]:
        return [each.state for each in outbox_records.registry(self.ref).read().texts]

    def find(self, identity: str) -> outbox_records.OutboxText:
        found = outbox_records.registry(self.ref).read().find(identity)
        assert found is not None
        return found

    def wait_for(self, identity: str, state: str) -> outbox_records.OutboxText:
        return wait_until(lambda: (now := self.find(identity)).state == state and now, what=f"{identity} is {state}")

    def wait_until_waiting(self, identity: str, code: str) -> None:
        wait_until(lambda: self.find(identity).waiting_for == code, what=f"{identity} waits for {code}")

    def type(self, text: str) -> None:
        """Type into the pane without Enter."""
        server = self.ctx.server(self.ref)
        server.send_keys(server.find_pane(self.name).pane_id, [text], literal=True)
        self.wait_for_text(text)

    def press(self, *keys: str) -> None:
        server = self.ctx.server(self.ref)
        server.send_keys(server.find_pane(self.name).pane_id, keys)

    def deliverer(self) -> int:
        """Return the process id of the delivering process; 0 if none runs."""
        path = self.machine.home / self.ref.file(outbox_records.PID_FILE)
        return int(path.read_text() or 0) if path.exists() else 0
