"""Record docs/demo.svg from a real run: `python -m tests.docs.record_demo` in the environment of tests/run.

`lisa demo` runs in a terminal; the screens become frames of the picture.
"""

from __future__ import annotations

from tests.docs.recording import Picture, Recorder
from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal

PICTURE = Picture(
    name="demo.svg",
    title="lisa demo",
    label="lisa demo: a live table of five agents with their states, a permission request that is approved, a"
    " result that is sent to another agent, and the clean-up",
    columns=100,
    rows=21,
)


def record() -> list[tuple[float, str]]:
    machine = LisaHost()
    try:
        machine.env["TMPDIR"] = "/tmp"  # the demo shows its folder
        terminal = OuterTerminal(machine, "demo", columns=PICTURE.columns, rows=30)
        recorder = Recorder(terminal)
        terminal.wait_for_end()
        terminal.wait_for("Next: ")
        return recorder.finish()
    finally:
        machine.close()


if __name__ == "__main__":
    PICTURE.write(record())
