"""lisa watch: notices on standard output and in the sinks."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def test_a_question_reaches_output_and_program(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[ask touch made]")
    note = machine.folder / "note.json"
    done = machine.lisa("watch", "--once", "--notify", f"exec:cat >{note}", "--json")
    printed = done.lines[0]
    assert (done.code, printed["kind"], printed["session"]) == (0, "asks", stage.name), done
    assert printed["text"] == "shell: touch made"
    assert printed["command"].startswith("lisa session approve")
    assert json.loads(note.read_text()).items() <= printed.items()
    assert done.lines[1]["notices"] == 1


def test_later_sessions_are_watched(machine: LisaHost) -> None:
    watching = machine.start("watch", "--on", "done", "--once", "--json")
    stage = SessionHarness(machine).spawn("[think 0.3] [say x]", ready=False)
    out, _ = watching.communicate(timeout=60)
    assert json.loads(out.splitlines()[0])["session"] == stage.name


def test_a_lost_session_is_reported(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say x]")
    stage.wait_for_state("idle")
    watching = machine.start("watch", "--on", "lost", "--once", "--json")
    stage.ctx.server(stage.ref).kill_server()
    out, _ = watching.communicate(timeout=60)
    assert json.loads(out.splitlines()[0])["kind"] == "lost"


def test_an_address_gets_the_notice(machine: LisaHost) -> None:
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        SessionHarness(machine).spawn("[ask touch made]")
        env = {"WATCH_URL": f"http://127.0.0.1:{server.server_port}/x"}
        assert machine.lisa("watch", "--once", "--notify", "env:WATCH_URL", "--json", env=env).code == 0
        server.shutdown()
        thread.join()
    assert json.loads(got[0])["kind"] == "asks"


def test_tmux_shows_counts_while_watch_runs(machine: LisaHost) -> None:
    outer = machine.folder / "outer.sock"
    tmux = ["tmux", "-f", "/dev/null", "-S", str(outer)]
    subprocess.run([*tmux, "new-session", "-d", "sleep", "600"], check=True)
    try:
        SessionHarness(machine).spawn("[ask touch made]")
        watching = machine.start("watch", "--notify", "tmux", "--json", env={"TMUX": f"{outer},1,0"})

        def read_option() -> str:
            return subprocess.run([*tmux, "show-options", "-gqv", "@lisa"], capture_output=True, text=True).stdout

        wait_until(lambda: read_option() == "1 ask\n")
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=60)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


@pytest.mark.parametrize(
    ("words", "code"),
    (
        (("--notify", "mail"), "invalid_notify"),
        (("--notify", "exec:"), "invalid_notify"),
        (("--notify", "env:NOT_SET"), "secret_not_found"),
        (("--notify", "tmux"), "not_in_tmux"),
        (("--on", "asks,nothing"), "invalid_on"),
    ),
)
def test_wrong_flags_are_refused(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    refused = machine.lisa("watch", *words, "--once", "--json", env={"TMUX": ""})
    assert (refused.code, refused.json["errorCode"]) == (1, code), refused
