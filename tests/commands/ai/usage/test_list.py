"""ai usage list: the names under which usage is known."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def test_the_project_is_an_identity(machine: LisaHost) -> None:
    assert json.loads(machine.lisa("ai", "usage", "list").out) == {"identities": []}
    stage = SessionHarness(machine).spawn("[say one]")
    (name,) = wait_until(lambda: json.loads(machine.lisa("ai", "usage", "list").out)["identities"])
    assert name == f"{machine.project.name}-{stage.ref.project.hash}"
