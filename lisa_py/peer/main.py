"""Run `lisa peer`."""

from __future__ import annotations

import os
import signal
import sys

from msgspec import Struct

from lisa_py.host import env
from lisa_py.peer.connection import PeerConnection


def main(args: Struct) -> int:
    """Answer requests until the reader goes away; return the exit code."""
    connection = PeerConnection(env.read_settings(), "", sys.stdin.fileno(), sys.stdout.fileno())
    received = []

    def handle(number: int, frame: object) -> None:
        received.append(number)
        connection.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.set_blocking(sys.stdout.fileno(), True)
    connection.serve()
    return 128 + received[0] if received else 0
