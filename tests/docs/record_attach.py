"""Record docs/attach.svg from a real run: `python -m tests.docs.record_attach` in the environment of tests/run.

`lisa chat` runs in a terminal with the pinned claude and the fake model; the screens become frames of the picture.
"""

from __future__ import annotations

import time

from tests.agents_live.live_harness import LiveSessionHarness
from tests.docs.recording import Picture, Recorder, type_line
from tests.fakes import model_api
from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal

PICTURE = Picture(
    name="attach.svg",
    title="lisa chat",
    label="lisa chat: an agent answers while the next prompt is being typed, asks for permission, is allowed"
    " to go on, and keeps running after the person has left",
    columns=100,
    rows=27,
)
ANSWERS = {
    "Which file is the largest?": "[fake slow 2 I will look. then tool wc -l src/*.py then slow 2 The largest file is"
    " src/parse.py with 412 lines. It holds the grammar and the error texts, so it can be split.]",
    "Split it": "[fake tool python3 split.py then slow 2 Done: src/grammar.py has the grammar now.]",
}


def record() -> list[tuple[float, str]]:
    machine = LisaHost()
    known = model_api.directives
    model_api.directives = lambda prompt: known(next((ANSWERS[key] for key in ANSWERS if key in prompt), prompt))
    try:
        with model_api.FakeModelApi() as api:
            stage = LiveSessionHarness(machine, api, "claude")
            source = machine.project / "src"
            source.mkdir()
            for name, lines in (("parse.py", 412), ("cli.py", 120), ("text.py", 64)):
                (source / name).write_text("x = 1\n" * lines)
            split = "print('src/grammar.py 291 lines')\nprint('src/errors.py 121 lines')\n"
            (machine.project / "split.py").write_text(split)
            first, second = ANSWERS
            words = ("chat", first, "--agent", "claude", "--session", "lisa-review-1")
            terminal = OuterTerminal(stage.machine, *words, columns=PICTURE.columns, rows=PICTURE.rows)
            recorder = Recorder(terminal)
            terminal.wait_for("tool_result")
            type_line(terminal, second)  # while the agent answers
            terminal.wait_for("Approve?")
            time.sleep(1.0)
            type_line(terminal, "y")
            terminal.wait_for("the grammar now")
            time.sleep(1.0)
            type_line(terminal, "/quit")
            terminal.wait_for_end()
            return recorder.finish()
    finally:
        model_api.directives = known
        machine.close()


if __name__ == "__main__":
    PICTURE.write(record())
