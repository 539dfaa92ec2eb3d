"""Generated session names."""

from __future__ import annotations

import re
import time

from lisa_py.core.lifecycle import names
from lisa_py.host.clock import Clock
from lisa_py.store.paths import SESSION_NAME
from tests.lisa_host import LisaHost

AT = 1795235522.428059


def test_name_has_project_time_agent_mode_and_tag(machine: LisaHost) -> None:
    context = machine.context(clock=Clock(now=lambda: AT))
    name = names.generate_name(context, context.project(), "scripted", "exec", "Nightly Audit!")
    stamp = time.strftime("%y%m%d-%H%M%S", time.localtime(AT))
    assert re.fullmatch(rf"lisa-proj-{stamp}-428059\d{{3}}-scripted-exec-nightlyaudit", name)


def test_callers_of_the_same_instant_get_different_names(machine: LisaHost) -> None:
    context = machine.context(clock=Clock(now=lambda: AT))
    made = {names.generate_name(context, context.project(), "scripted", "exec") for _ in range(8)}
    assert len(made) > 1


def test_illegal_tag_becomes_project_and_long_tag_is_cut(machine: LisaHost) -> None:
    context = machine.context()
    assert names.generate_name(context, context.project(), "scripted", "exec", "!!!").endswith("-exec-project")
    folder = machine.folder / ("x" * 90)
    folder.mkdir()
    longest = names.generate_name(context, context.project(str(folder)), "scripted", "interactive", "y" * 90)
    assert longest.endswith("-" + "y" * 16) and SESSION_NAME.match(longest)
