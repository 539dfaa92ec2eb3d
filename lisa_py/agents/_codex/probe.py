"""Probe the installed codex: version, flags of its help pages, acceptance of lisa's hook."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec

from lisa_py.agents._codex import hooks
from lisa_py.agents.launch import Facts, run_probes
from lisa_py.host import files
from lisa_py.host.run import ProgramCall

_FLAG = re.compile(r"^\s+(?:-\w, )?(--[a-z][a-z0-9-]+)", re.MULTILINE)
_HANDSHAKE = (
    {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "lisa", "title": "lisa", "version": "1"}}},
    {"method": "initialized"},
)


def probe_binary(binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
    """Probe the binary in the agent's own environment, but with an empty configuration folder: nothing is written."""
    scratch = os.path.join(environ.get("TMPDIR") or "/tmp", f"lisa-probe-{os.urandom(8).hex()}")
    files.ensure_private_dir(scratch)
    unanswered: dict[str, str] = {}
    try:
        answers = run_probes(_build_probes(binary, scratch), {**environ, "CODEX_HOME": scratch}, timeout, unanswered)
    finally:
        files.remove_tree(scratch)
    found = re.search(r"\d+\.\d+\.\d+\S*", answers.get("--version", ""))
    if "--version" in answers and found is None:
        unanswered["--version"] = "it names no version"
    flags = set(_FLAG.findall(answers.get("--help", "")))
    flags |= {f"exec {flag}" for flag in _FLAG.findall(answers.get("exec --help", ""))}
    flags |= {f"hook {event}" for event in _accepted_hooks(answers.get("app-server", ""))}
    return Facts(binary=binary, version=found[0] if found else "", flags=frozenset(flags), unanswered=unanswered)


def _build_probes(binary: str, scratch: str) -> dict[str, ProgramCall]:
    flags = [
        word for setting in hooks.hook_settings("/bin/sh /lisa/hook.sh /lisa", hooks.EVENTS) for word in ("-c", setting)
    ]
    request = {"id": 1, "method": "hooks/list", "params": {"cwds": [scratch]}}
    lines = b"".join(msgspec.json.encode(message) + b"\n" for message in (*_HANDSHAKE, request))
    return {
        "--version": ProgramCall(argv=[binary, "--version"]),
        "--help": ProgramCall(argv=[binary, "--help"]),
        "exec --help": ProgramCall(argv=[binary, "exec", "--help"]),
        "app-server": ProgramCall(argv=[binary, "app-server", *flags], stdin=lines, until=b'"id":1,'),
    }


def _accepted_hooks(answer: str) -> list[str]:
    """Return the events whose hook this version would run without a trust dialog."""
    listed = set(re.findall(r'"eventName":"(\w+)"[^{}]*?"trustStatus":"trusted"', answer))
    return [event for event in hooks.EVENTS if event[0].lower() + event[1:] in listed]
