"""Flags of the commands that answer in milliseconds: making all of flags.py would cost them a tenth of their time."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.command import Flag

MODE_ALIASES = {"execution": "exec", "non-interactive": "exec", "non_interactive": "exec"}
MODES = ("interactive", "exec")

Session = Annotated[str, Flag(help="session name", metavar="NAME", positional=True)]
ProjectRoot = Annotated[str, Flag(help="project folder; default: the session's, else the current one", metavar="PATH")]
AgentHint = Annotated[str, Flag(help="override of agent detection", metavar="auto|AGENT", code="invalid_agent_hint")]
ModeHint = Annotated[
    str,
    Flag(
        help="override of mode detection",
        choices=("auto", *MODES),
        aliases={**MODE_ALIASES, "": "auto"},
        code="invalid_mode_hint",
    ),
]
FailNotFound = Annotated[bool, Flag(help="exit code 1 if the session does not exist")]
CursorReset = Annotated[bool, Flag(help="replacement of an unreadable cursor file", acts=True)]
Text = Annotated[str, Flag(help="text to type", metavar="TEXT")]
TextFile = Annotated[str, Flag(help="file with the text to send; `-` is standard input", metavar="PATH")]
Keys = Annotated[str, Flag(help="tmux key names, separated by spaces", metavar="KEYS")]
Answer = Annotated[
    str,
    Flag(help="answer to the open dialog: word, number or numbers", metavar="yes|no|always|N[,N]"),
]
Enter = Annotated[bool, Flag(help="Enter after the text")]
Force = Annotated[bool, Flag(help="delivery despite a dialog, unknown screen or exec run")]
ReplaceDraft = Annotated[bool, Flag(help="removal of a draft from the input box first")]
ExpireSeconds = Annotated[int, Flag(help="maximum seconds in the outbox", minimum=1)]
