"""Assess the risks of planned commands for other work: by the whole text, then by each command."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from lisa_py.core.guard import shell_parser
from lisa_py.core.guard.shell_parser import ShellCommand

LEVELS = ("low", "medium", "high")
MESSAGES = {
    "cleanup_include_tmux_default": "command targets tmux default server",
    "kill_all_without_project_only": "kill-all without --project-only can impact unrelated sessions",
    "cleanup_without_dry_run": "cleanup without --dry-run mutates runtime artifacts",
    "kill_without_project_root": "session kill without --project-root may target wrong project hash",
    "tmux_kill_server": "kill-server ends every session of the tmux server, including those of others",
    "tmux_kill_session": "tmux ends a session, window or pane of the default server",
    "process_kill_broad": "processes are ended by name or all at once, including those of others",
    "file_removal_broad": "files far beyond one project, or sockets of tmux servers, are removed",
    "host_shutdown": "the machine is shut down",
    "unparsable_command": "what the command runs cannot be read, so its risk is unknown",
    "policy_not_allowed": "the policy allows other commands only",
    "policy_denied_command": "the policy denies the command",
    "policy_requires_project_root": "the policy requires --project-root on session commands",
    "policy_requires_project_only_for_kill_all": "the policy requires --project-only on session kill-all",
    "policy_disallow_cleanup_include_tmux_default": "the policy disallows cleanup --include-tmux-default",
}
"""All findings in the order of reporting."""


class RiskFinding(Struct, frozen=True):
    """One risk of a command."""

    code: str
    risk: str


def highest_risk(findings: Sequence[RiskFinding]) -> str:
    return max((finding.risk for finding in findings), key=LEVELS.index, default="low")


def assess_text(text: str) -> list[RiskFinding]:
    """Find risks by substrings of the lower-cased text: coarse, but never retracted."""
    low = text.strip().lower()
    found = []
    if "cleanup" in low and "--include-tmux-default" in low:
        found.append(RiskFinding("cleanup_include_tmux_default", "high"))
    if "session kill-all" in low and "--project-only" not in low:
        found.append(RiskFinding("kill_all_without_project_only", "high"))
    if "cleanup" in low and "--dry-run" not in low:
        found.append(RiskFinding("cleanup_without_dry_run", "medium"))
    if "session kill" in low and "--project-root" not in low:
        found.append(RiskFinding("kill_without_project_root", "medium"))
    return found


def assess_commands(commands: Sequence[ShellCommand]) -> list[list[RiskFinding]]:
    """Find risks by the words of each command."""
    seen_tmux = False
    findings = []
    for command in commands:
        seen_tmux = seen_tmux or os.path.basename(command.words[0]) == "tmux"
        findings.append(list(_assess_command(command.words, seen_tmux)))
    return findings


def _assess_command(words: Sequence[str], after_tmux: bool) -> Iterator[RiskFinding]:
    program = os.path.basename(words[0])
    own = extract_lisa_words(words)
    if own is not None:
        yield from _assess_lisa(own)
    elif program in _PROGRAMS:
        yield from _PROGRAMS[program](words[1:])
    elif after_tmux and program.startswith("kill-"):  # tmux takes several commands, split by \;
        yield from _assess_tmux(words)


def extract_lisa_words(words: Sequence[str]) -> list[str] | None:
    """Return the words after the program name if it is lisa (also unnamed: `session kill ...`), else None."""
    for start in range(min(len(words), 4)):
        if os.path.basename(words[start]) in ("lisa", "lisa_py"):
            before = [os.path.basename(word) for word in words[:start]]
            if start == 0 or re.match(r"python[\d.]*\Z|uv\Z|uvx\Z|pipx\Z", before[0]):
                return list(words[start + 1 :])
    return list(words) if words[0] in ("session", "cleanup") else None


def extract_flags(words: Sequence[str]) -> set[str]:
    return {word.partition("=")[0].lower() for word in words if word.startswith("--")}


def command_path(words: Sequence[str]) -> str:
    """Return the name of the command: `session kill-all`, `cleanup`."""
    return " ".join(words[: 2 if words and words[0] == "session" else 1]).lower()


def _assess_lisa(words: Sequence[str]) -> Iterator[RiskFinding]:
    name, given = command_path(words), extract_flags(words)
    if name == "cleanup":
        if "--include-tmux-default" in given:
            yield RiskFinding("cleanup_include_tmux_default", "high")
        if "--dry-run" not in given:
            yield RiskFinding("cleanup_without_dry_run", "medium")
    if name == "session kill-all" and "--project-only" not in given:
        yield RiskFinding("kill_all_without_project_only", "high")
    if name in ("session kill", "session kill-all") and "--project-root" not in given:
        yield RiskFinding("kill_without_project_root", "medium")


def _assess_tmux(words: Sequence[str]) -> Iterator[RiskFinding]:
    """Match a tmux command by any unique prefix of its name."""
    elsewhere = any(re.match(r"-[LS]", word) for word in words)  # another server than the default one
    for word in words:
        if re.match(r"kill-ser(v|ve|ver)?\Z", word):
            yield RiskFinding("tmux_kill_server", "medium" if elsewhere else "high")
        elif re.match(r"kill-(ses|w|p)[a-z]*\Z", word) and not elsewhere:
            yield RiskFinding("tmux_kill_session", "high")


def _assess_kill_by_name(words: Sequence[str]) -> Iterator[RiskFinding]:
    if not {"--help", "--version", "-V"} & set(words):
        yield RiskFinding("process_kill_broad", "high")


def _assess_kill(words: Sequence[str]) -> Iterator[RiskFinding]:
    """Yield the risk of kill: a PID is one process; -1 is all of them, and substituted output is unknown."""
    pids = words[1:] if words and re.match(r"-[A-Z0-9a-z]+\Z", words[0]) else words
    from_elsewhere = not pids and not (words and words[0].lower() in ("-l", "--help"))
    if any(re.search(r"[`$]|\A-?1\Z", word) for word in pids) or from_elsewhere:
        yield RiskFinding("process_kill_broad", "high")


def _assess_rm(words: Sequence[str]) -> Iterator[RiskFinding]:
    options = [word for word in words if word.startswith("-")]
    recursive = any(option == "--recursive" or re.match(r"-[a-zA-Z]*[rR]", option) for option in options)
    if any(_is_socket(word) or (recursive and _is_broad(word)) for word in words if not word.startswith("-")):
        yield RiskFinding("file_removal_broad", "high")


def _assess_unlink(words: Sequence[str]) -> Iterator[RiskFinding]:
    if any(map(_is_socket, words)):
        yield RiskFinding("file_removal_broad", "high")


def _assess_find(words: Sequence[str]) -> Iterator[RiskFinding]:
    if "-delete" in words and any(_is_broad(word) or _is_socket(word) for word in words):
        yield RiskFinding("file_removal_broad", "high")


_HOME = r"(?:~[\w-]*|\$\{?HOME\}?|/home/[^/]+|/root|/Users/[^/]+)"
_BROAD = re.compile(
    rf"(?:/|/\*|/\w+|/\w+/\*|\.|\.\.|\./?\*|\*|{_HOME}|{_HOME}/\*|{_HOME}/\.lisa(?:/\*|/projects(?:/\*)?)?"
    r"|/tmp/(?:lisa-)?tmux-.*|(?:\.\./)+(?:\.\.|\*)?)/*\Z"
)


def _is_broad(word: str) -> bool:
    return _BROAD.match(word) is not None


def _is_socket(word: str) -> bool:
    """Detect removed sockets: the tmux server keeps running without access to its sessions."""
    return re.match(r"(?:/private)?/tmp/(?:lisa-)?tmux-", word) is not None


def _assess_shutdown(words: Sequence[str]) -> Iterator[RiskFinding]:
    yield RiskFinding("host_shutdown", "high")


_PROGRAMS: dict[str, Callable[[Sequence[str]], Iterator[RiskFinding]]] = {
    "tmux": _assess_tmux,
    "pkill": _assess_kill_by_name,
    "killall": _assess_kill_by_name,
    "killall5": _assess_kill_by_name,
    "skill": _assess_kill_by_name,
    "kill": _assess_kill,
    "rm": _assess_rm,
    "unlink": _assess_unlink,
    "mv": _assess_unlink,
    "find": _assess_find,
    "shutdown": _assess_shutdown,
    "reboot": _assess_shutdown,
    "poweroff": _assess_shutdown,
    "halt": _assess_shutdown,
}


def parse_planned_commands(text: str) -> tuple[list[ShellCommand], list[RiskFinding]]:
    """Return the commands of a text, including those that lisa would run in a session; unparsable text is a finding."""
    reading = shell_parser.read_line(text)
    every: list[ShellCommand] = []
    unread = bool(reading.broken or reading.hidden)
    for command in reading.commands:
        every.append(command)
        for spawned in _list_spawned_lines(command.words):
            inner = shell_parser.read_line(spawned)
            every += inner.commands
            unread |= bool(inner.broken or inner.hidden)
    return every, [RiskFinding("unparsable_command", "medium")] if unread else []


def _list_spawned_lines(words: Sequence[str]) -> list[str]:
    own = extract_lisa_words(words) or []
    found = [value for word, value in itertools.pairwise(own) if word == "--command"]
    return found + [word.partition("=")[2] for word in own if word.startswith("--command=")]
