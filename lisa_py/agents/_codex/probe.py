"""Probe the installed codex: version, flags of its help pages, acceptance of lisa's hook."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping

import msgspec

from lisa_py.agents._codex import hooks
from lisa_py.agents.base import Facts
from lisa_py.host import files
from lisa_py.host.run import run_program, run_until_reply

_FLAG = re.compile(r"^\s+(?:-\w, )?(--[a-z][a-z0-9-]+)", re.MULTILINE)
_HANDSHAKE = (
    {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "lisa", "title": "lisa", "version": "1"}}},
    {"method": "initialized"},
)


def probe_binary(binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
    """Probe the binary in an empty configuration folder, so that the user's files stay untouched."""
    deadline = time.monotonic() + timeout
    scratch = os.path.join(environ.get("TMPDIR") or "/tmp", f"lisa-probe-{secrets.token_hex(8)}")
    files.ensure_private_dir(scratch)
    env = {"PATH": environ.get("PATH", os.defpath), "HOME": scratch, "CODEX_HOME": scratch}
    try:
        version = _read_output([binary, "--version"], env, scratch, deadline)
        found = re.search(r"\d+\.\d+\.\d+\S*", version)
        if found is None:
            return Facts(binary=binary)
        flags = set(_FLAG.findall(_read_output([binary, "--help"], env, scratch, deadline)))
        flags |= {
            f"exec {flag}" for flag in _FLAG.findall(_read_output([binary, "exec", "--help"], env, scratch, deadline))
        }
        flags |= {f"hook {event}" for event in _accepted_hooks(binary, env, scratch, deadline)}
        return Facts(binary=binary, version=found[0], flags=frozenset(flags))
    finally:
        files.remove_tree(scratch)


def _read_output(argv: list[str], env: Mapping[str, str], cwd: str, deadline: float) -> str:
    left = deadline - time.monotonic()
    if left <= 0:
        return ""
    try:
        return run_program(argv, timeout=left, env=env, cwd=cwd, group=True).text
    except OSError:
        return ""


def _accepted_hooks(binary: str, env: Mapping[str, str], cwd: str, deadline: float) -> list[str]:
    """Return the events whose hook this version would run without a trust dialog."""
    flags = [
        word for setting in hooks.hook_settings("/bin/sh /lisa/hook.sh /lisa", hooks.EVENTS) for word in ("-c", setting)
    ]
    request = {"id": 1, "method": "hooks/list", "params": {"cwds": [cwd]}}
    lines = b"".join(msgspec.json.encode(message) + b"\n" for message in (*_HANDSHAKE, request))
    left = min(deadline - time.monotonic(), 5.0)
    try:
        answer = run_until_reply([binary, "app-server", *flags], lines, b'"id":1,', timeout=left, env=env, cwd=cwd)
    except OSError:
        return []
    if not answer:
        return []
    listed = set(re.findall(rb'"eventName":"(\w+)"[^{}]*?"trustStatus":"trusted"', answer))
    return [event for event in hooks.EVENTS if (event[0].lower() + event[1:]).encode() in listed]
