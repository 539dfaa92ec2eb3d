"""A scripted agent with dialogs, for tests of commands that answer them."""

from __future__ import annotations

from typing import Any

from lisa_py.store import dialogs
from tests.polling import wait_until
from tests.session_harness import SessionHarness


class DialogStage(SessionHarness):
    """A session whose agent shows dialogs and runs the waiting hook."""

    def ask(self, prompt: str, kind: str = "permission") -> DialogStage:
        """Send a prompt and wait until its dialog is open and its hook waits."""
        assert self.send(prompt).code == 0
        return self.wait_for_dialog(kind)

    def wait_for_dialog(self, kind: str = "permission") -> DialogStage:
        self.wait_for_state("waiting", waitingFor=kind)
        wait_until(lambda: dialogs.list_waiting(self.ref), what="the hook waits")
        wait_until(lambda: self.status().waiting_for == kind)
        return self

    def list_open(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.lisa("dialogs").json["dialogs"]
        return found

    def results(self) -> list[tuple[str, bool]]:
        return [(record["text"].strip(), record["failed"]) for record in self.transcript("tool_result")]

    def wait_for_result(self) -> tuple[str, bool]:
        return wait_until(self.results, what="the result of the call")[-1]

    def wait_for_pane(self) -> str:
        pane = wait_until(lambda: self.ctx.find_pane(self.ref))
        return str(pane.pane_id)
