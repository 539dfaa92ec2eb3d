"""Which planned commands endanger work that is not their own: a look at the text as a whole, then at each command."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from lisa_py.core.advice import shell_words
from lisa_py.core.advice.shell_words import Command

LEVELS = ("low", "medium", "high")
WORDING = {
    "cleanup_include_tmux_default": "command targets tmux default server",
    "kill_all_without_project_only": "kill-all without --project-only can impact unrelated sessions",
    "cleanup_without_dry_run": "cleanup without --dry-run mutates runtime artifacts",
    "kill_without_project_root": "session kill without --project-root may target wrong project hash",
    "tmux_kill_server": "kill-server ends every session of the tmux server, whoever started it",
    "tmux_kill_session": "tmux ends a session, window or pane of the default server",
    "process_kill_broad": "processes are ended by name or all at once, whoever started them",
    "file_removal_broad": "files far beyond one project, or sockets of tmux servers, are removed",
    "host_shutdown": "the machine is shut down",
    "unparsable_command": "the command cannot be taken apart, so it cannot be judged",
    "policy_not_allowed": "the policy allows other commands only",
    "policy_denied_command": "the policy denies the command",
    "policy_requires_project_root": "the policy requires --project-root on session commands",
    "policy_requires_project_only_for_kill_all": "the policy requires --project-only on session kill-all",
    "policy_disallow_cleanup_include_tmux_default": "the policy disallows cleanup --include-tmux-default",
}
"""Every finding there is, in the order in which findings are told."""


class Finding(Struct, frozen=True):
    """One thing that is dangerous about a command."""

    code: str
    risk: str


def highest(findings: Sequence[Finding]) -> str:
    return max((finding.risk for finding in findings), key=LEVELS.index, default="low")


def in_text(text: str) -> list[Finding]:
    """By substrings of the lower-cased text: coarse, but what it finds is never taken back."""
    low = text.strip().lower()
    found = []
    if "cleanup" in low and "--include-tmux-default" in low:
        found.append(Finding("cleanup_include_tmux_default", "high"))
    if "session kill-all" in low and "--project-only" not in low:
        found.append(Finding("kill_all_without_project_only", "high"))
    if "cleanup" in low and "--dry-run" not in low:
        found.append(Finding("cleanup_without_dry_run", "medium"))
    if "session kill" in low and "--project-root" not in low:
        found.append(Finding("kill_without_project_root", "medium"))
    return found


def in_commands(commands: Sequence[Command]) -> list[list[Finding]]:
    """What the words of each command say."""
    seen_tmux = False
    judged = []
    for command in commands:
        seen_tmux = seen_tmux or os.path.basename(command.words[0]) == "tmux"
        judged.append(list(_of_command(command.words, seen_tmux)))
    return judged


def _of_command(words: Sequence[str], after_tmux: bool) -> Iterator[Finding]:
    program = os.path.basename(words[0])
    own = lisa_words(words)
    if own is not None:
        yield from _lisa(own)
    elif program in _PROGRAMS:
        yield from _PROGRAMS[program](words[1:])
    elif after_tmux and program.startswith("kill-"):  # tmux takes several commands, split by \;
        yield from _tmux(words)


def lisa_words(words: Sequence[str]) -> list[str] | None:
    """The words after the program's name when it is lisa (also unnamed: `session kill ...`), else None."""
    for start in range(min(len(words), 4)):
        if os.path.basename(words[start]) in ("lisa", "lisa_py"):
            before = [os.path.basename(word) for word in words[:start]]
            if start == 0 or re.match(r"python[\d.]*\Z|uv\Z|uvx\Z|pipx\Z", before[0]):
                return list(words[start + 1 :])
    return list(words) if words[0] in ("session", "cleanup") else None


def flags(words: Sequence[str]) -> set[str]:
    return {word.partition("=")[0].lower() for word in words if word.startswith("--")}


def path(words: Sequence[str]) -> str:
    """`session kill-all`, `cleanup`: the command's name."""
    return " ".join(words[: 2 if words and words[0] == "session" else 1]).lower()


def _lisa(words: Sequence[str]) -> Iterator[Finding]:
    name, given = path(words), flags(words)
    if name == "cleanup":
        if "--include-tmux-default" in given:
            yield Finding("cleanup_include_tmux_default", "high")
        if "--dry-run" not in given:
            yield Finding("cleanup_without_dry_run", "medium")
    if name == "session kill-all" and "--project-only" not in given:
        yield Finding("kill_all_without_project_only", "high")
    if name in ("session kill", "session kill-all") and "--project-root" not in given:
        yield Finding("kill_without_project_root", "medium")


def _tmux(words: Sequence[str]) -> Iterator[Finding]:
    """tmux takes any unique beginning of a command's name."""
    elsewhere = any(re.match(r"-[LS]", word) for word in words)  # another server than the default one
    for word in words:
        if re.match(r"kill-ser(v|ve|ver)?\Z", word):
            yield Finding("tmux_kill_server", "medium" if elsewhere else "high")
        elif re.match(r"kill-(ses|w|p)[a-z]*\Z", word) and not elsewhere:
            yield Finding("tmux_kill_session", "high")


def _by_name(words: Sequence[str]) -> Iterator[Finding]:
    if not {"--help", "--version", "-V"} & set(words):
        yield Finding("process_kill_broad", "high")


def _kill(words: Sequence[str]) -> Iterator[Finding]:
    """`kill PID` ends one process; -1 means all of them, and what another command prints means who knows which."""
    pids = words[1:] if words and re.match(r"-[A-Z0-9a-z]+\Z", words[0]) else words
    from_elsewhere = not pids and not (words and words[0].lower() in ("-l", "--help"))
    if any(re.search(r"[`$]|\A-?1\Z", word) for word in pids) or from_elsewhere:
        yield Finding("process_kill_broad", "high")


def _rm(words: Sequence[str]) -> Iterator[Finding]:
    options = [word for word in words if word.startswith("-")]
    deep = any(option == "--recursive" or re.match(r"-[a-zA-Z]*[rR]", option) for option in options)
    if any(_is_socket(word) or (deep and _is_broad(word)) for word in words if not word.startswith("-")):
        yield Finding("file_removal_broad", "high")


def _unlink(words: Sequence[str]) -> Iterator[Finding]:
    if any(map(_is_socket, words)):
        yield Finding("file_removal_broad", "high")


def _find(words: Sequence[str]) -> Iterator[Finding]:
    if "-delete" in words and any(_is_broad(word) or _is_socket(word) for word in words):
        yield Finding("file_removal_broad", "high")


_HOME = r"(?:~[\w-]*|\$\{?HOME\}?|/home/[^/]+|/root|/Users/[^/]+)"
_BROAD = re.compile(
    rf"(?:/|/\*|/\w+|/\w+/\*|\.|\.\.|\./?\*|\*|{_HOME}|{_HOME}/\*|{_HOME}/\.lisa(?:/\*|/projects(?:/\*)?)?"
    r"|/tmp/(?:lisa-)?tmux-.*|(?:\.\./)+(?:\.\.|\*)?)/*\Z"
)


def _is_broad(word: str) -> bool:
    return _BROAD.match(word) is not None


def _is_socket(word: str) -> bool:
    """A tmux server whose socket is gone runs on, and nobody can reach its sessions."""
    return re.match(r"(?:/private)?/tmp/(?:lisa-)?tmux-", word) is not None


def _shutdown(words: Sequence[str]) -> Iterator[Finding]:
    yield Finding("host_shutdown", "high")


_PROGRAMS: dict[str, Callable[[Sequence[str]], Iterator[Finding]]] = {
    "tmux": _tmux,
    "pkill": _by_name,
    "killall": _by_name,
    "killall5": _by_name,
    "skill": _by_name,
    "kill": _kill,
    "rm": _rm,
    "unlink": _unlink,
    "mv": _unlink,
    "find": _find,
    "shutdown": _shutdown,
    "reboot": _shutdown,
    "poweroff": _shutdown,
    "halt": _shutdown,
}


def taken_apart(text: str) -> tuple[list[Command], list[Finding]]:
    """The commands of a text, those that lisa would run in a session included; unparsable text is a finding."""
    every: list[Command] = []
    try:
        for command in shell_words.commands(text):
            every.append(command)
            every += _started_by_lisa(command.words)
    except shell_words.Unparsable:
        return every, [Finding("unparsable_command", "medium")]
    return every, []


def _started_by_lisa(words: Sequence[str]) -> list[Command]:
    own = lisa_words(words)
    if own is None:
        return []
    found = []
    for number, word in enumerate(own):
        if word == "--command":
            found += shell_words.commands(" ".join(own[number + 1 : number + 2]))
        elif word.startswith("--command="):
            found += shell_words.commands(word.partition("=")[2])
    return found
