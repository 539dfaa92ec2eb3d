"""Flags that two or more commands share, each declared once."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.command import Flag
from lisa_py.contract.status import SESSION_STATES

AGENT_ALIASES: dict[str, str] = {}
MODE_ALIASES = {"execution": "exec", "non-interactive": "exec", "non_interactive": "exec"}
INTENT_ALIASES = {"bypass": "nested", "none": "neutral", "off": "neutral"}

MODES = ("interactive", "exec")
POLICIES = ("auto", "force", "off")
INTENTS = ("auto", "nested", "neutral")

Session = Annotated[str, Flag(help="session name", metavar="NAME")]
ProjectRoot = Annotated[
    str, Flag(help="project folder; default: where the session was spawned, else the current folder", metavar="PATH")
]
AgentName = Annotated[str, Flag(help="which agent CLI", metavar="AGENT")]
AgentHint = Annotated[
    str, Flag(help="overrule which agent the session is taken for", metavar="auto|AGENT", code="invalid_agent_hint")
]
Mode = Annotated[str, Flag(help="a dialogue, or one prompt and out", choices=MODES, aliases=MODE_ALIASES)]
ModeHint = Annotated[
    str,
    Flag(
        help="overrule which mode the session is taken for",
        choices=("auto", *MODES),
        aliases={**MODE_ALIASES, "": "auto"},
        code="invalid_mode_hint",
    ),
]
NestedPolicy = Annotated[
    str, Flag(help="whether an exec session may itself run lisa without a sandbox", choices=POLICIES)
]
NestingIntent = Annotated[
    str,
    Flag(
        help="say whether the prompt asks for nesting, instead of reading it off the prompt",
        choices=INTENTS,
        aliases=INTENT_ALIASES,
    ),
]
Prompt = Annotated[str, Flag(help="first prompt", metavar="TEXT")]
AgentArgs = Annotated[str, Flag(help="further arguments for the agent CLI, as shell text", metavar="ARGS")]
Model = Annotated[str, Flag(help="model name, where the agent CLI takes one", metavar="NAME")]
KeepPermissions = Annotated[bool, Flag(help="do not add the agent's skip-permissions flag")]
Events = Annotated[int, Flag(help="how many recent events", minimum=1)]
Lines = Annotated[int, Flag(help="how many lines of the pane, counted from its end", minimum=1)]
TokenBudget = Annotated[int, Flag(help="size limit in tokens of 4 bytes; the newest output is kept", minimum=1)]
SummaryStyle = Annotated[
    str, Flag(help="how the summary is laid out", choices=("terse", "ops", "debug"), aliases={"": "terse"})
]
Strategy = Annotated[
    str, Flag(help="how much a pack holds", choices=("terse", "balanced", "full"), aliases={"": "balanced"})
]
Redact = Annotated[
    str,
    Flag(
        help="take out what these rules find: none|all|paths|emails|secrets|numbers|tokens",
        metavar="CSV",
        code="invalid_redact_rules",
    ),
]
CursorFile = Annotated[str, Flag(help="file that remembers where this reader stopped", metavar="PATH")]
CursorReset = Annotated[bool, Flag(help="set an unreadable cursor file aside and start anew")]
DeltaFrom = Annotated[str, Flag(help="only what is new since an offset, @unix time or RFC 3339 time", metavar="VALUE")]
Markers = Annotated[str, Flag(help="comma-separated texts to look for", metavar="CSV")]
KeepNoise = Annotated[bool, Flag(help="keep start-up noise of agents", off_spelling="--strip-noise")]
MAX_HOURS = 100 * 366 * 24
"""A lifetime beyond a century is a slip, and ends beyond what clocks can tell."""
PollInterval = Annotated[int, Flag(help="seconds between reported polls; reactions do not wait for it", minimum=1)]
MaxPolls = Annotated[int, Flag(help="give up after this many polls", minimum=1)]
TimeoutSeconds = Annotated[int | None, Flag(help="give up after this time", minimum=1)]
StopOnWaiting = Annotated[bool, Flag(help="stop when the session waits for input", boolean_word=True)]
TurnComplete = Annotated[
    bool, Flag(help="take waiting for the end only when a turn has ended since the last input", boolean_word=True)
]
UntilMarker = Annotated[str, Flag(help="stop when this text comes out, after the last input", metavar="TEXT")]
UntilState = Annotated[str, Flag(help="stop in this state", choices=("", *SESSION_STATES), metavar="STATE")]
UntilJsonpath = Annotated[
    str, Flag(help="stop when a field of the status is true or has a value: a.b or a.b=value", metavar="EXPR")
]
Expect = Annotated[str, Flag(help="which kind of end is a success", choices=("any", "terminal", "marker"))]
AutoRecover = Annotated[bool, Flag(help="at the end of the polls press Enter once and go on")]
RecoverMax = Annotated[int, Flag(help="how many times", minimum=1)]
RecoverBudget = Annotated[int | None, Flag(help="polls over all rounds", minimum=1)]
Fields = Annotated[str, Flag(help="only these fields of the packet, as dotted paths", metavar="CSV")]
AllHashes = Annotated[bool, Flag(help="also clean what this session name left in other projects")]
Text = Annotated[str, Flag(help="text to type", metavar="TEXT")]
TextFile = Annotated[str, Flag(help="file that holds the text to type; `-` is standard input", metavar="PATH")]
PromptFile = Annotated[str, Flag(help="file that holds the first prompt; `-` is standard input", metavar="PATH")]
Keys = Annotated[str, Flag(help="tmux key names, separated by spaces", metavar="KEYS")]
Answer = Annotated[
    str,
    Flag(help="answer the dialog the agent shows: yes, no, always or the choice's number", metavar="yes|no|always|N"),
]
Force = Annotated[bool, Flag(help="type although the agent shows a dialog or is an exec run")]
Enter = Annotated[bool, Flag(help="submit with Enter")]
FailNotFound = Annotated[bool, Flag(help="exit 1 when the session does not exist")]
UsedTokens = Annotated[int, Flag(help="tokens that were used at least", minimum=1)]
UsedSeconds = Annotated[int, Flag(help="seconds that were used at least", minimum=1)]
UsedSteps = Annotated[int, Flag(help="steps that were taken at least", minimum=1)]
UsedBy = Annotated[
    tuple[str, ...], Flag(help="what a session used by its agent's own transcript", metavar="NAME", repeatable=True)
]
Combine = Annotated[
    str, Flag(help="reports of one job overlap (max) or are of separate jobs (sum)", choices=("max", "sum"))
]
