"""Flags shared by two or more commands, each declared once."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.command import Flag
from lisa_py.contract.common_flags import MODE_ALIASES as MODE_ALIASES
from lisa_py.contract.common_flags import MODES as MODES
from lisa_py.contract.common_flags import AgentHint as AgentHint
from lisa_py.contract.common_flags import Answer as Answer
from lisa_py.contract.common_flags import CursorReset as CursorReset
from lisa_py.contract.common_flags import Enter as Enter
from lisa_py.contract.common_flags import ExpireSeconds as ExpireSeconds
from lisa_py.contract.common_flags import FailNotFound as FailNotFound
from lisa_py.contract.common_flags import Force as Force
from lisa_py.contract.common_flags import Keys as Keys
from lisa_py.contract.common_flags import ModeHint as ModeHint
from lisa_py.contract.common_flags import ProjectRoot as ProjectRoot
from lisa_py.contract.common_flags import ReplaceDraft as ReplaceDraft
from lisa_py.contract.common_flags import Session as Session
from lisa_py.contract.common_flags import Text as Text
from lisa_py.contract.common_flags import TextFile as TextFile
from lisa_py.contract.session_settings import ON_LIMIT, PERMISSION_MODES
from lisa_py.contract.status import SESSION_STATES

INTENT_ALIASES = {"bypass": "nested", "none": "neutral", "off": "neutral"}

POLICIES = ("auto", "force", "off")
INTENTS = ("auto", "nested", "neutral")

DefinitionName = Annotated[str, Flag(help="name of the definition", metavar="NAME", positional=True)]
ProfileName = Annotated[str, Flag(help="name or id of the profile", metavar="NAME", positional=True)]
SecretScope = Annotated[
    str, Flag(help="store: of the user or of one project", choices=("user", "project"), code="invalid_scope")
]
SecretName = Annotated[
    str,
    Flag(help="name of the secret", metavar="NAME", positional=True, other_spellings=("--key",)),
]

AgentName = Annotated[str, Flag(help="agent CLI", metavar="AGENT")]
Mode = Annotated[str, Flag(help="interactive session or one-shot run", choices=MODES, aliases=MODE_ALIASES)]
NestedPolicy = Annotated[str, Flag(help="sandbox bypass for nested lisa runs in exec mode", choices=POLICIES)]
NestingIntent = Annotated[
    str,
    Flag(
        help="nesting intent, instead of detection from the prompt",
        choices=INTENTS,
        aliases=INTENT_ALIASES,
    ),
]
Prompt = Annotated[str, Flag(help="first prompt", metavar="TEXT")]
AgentArgs = Annotated[str, Flag(help="extra arguments for the agent CLI, as shell text", metavar="ARGS")]
Model = Annotated[str, Flag(help="model name, if the agent CLI supports one", metavar="NAME")]
Trust = Annotated[bool, Flag(help="trust for the project folder without a dialog")]
KeepPermissions = Annotated[bool, Flag(help="no skip-permissions flag for the agent")]
PermissionMode = Annotated[
    str,
    Flag(
        help="handling of tool calls that no rule covers",
        choices=PERMISSION_MODES,
        aliases={mode.lower(): mode for mode in PERMISSION_MODES},
    ),
]
AllowedTools = Annotated[str, Flag(help="tools and Bash(PREFIX:*) that run without a dialog", metavar="CSV")]
DeniedTools = Annotated[str, Flag(help="tools and Bash(PREFIX:*) that are refused", metavar="CSV")]
EnvironmentValues = Annotated[
    tuple[str, ...],
    Flag(help="variable of the agent; value or reference", metavar="NAME=VALUE", repeatable=True, code="invalid_env"),
]
SystemPrompt = Annotated[str, Flag(help="text added to the agent's system prompt", metavar="TEXT")]
McpConfig = Annotated[str, Flag(help="JSON file of MCP servers; `-` is standard input", metavar="PATH")]
MaxTurns = Annotated[int | None, Flag(help="answers of the model before the session ends", minimum=1)]
MaxBudget = Annotated[float | None, Flag(help="dollars before the session ends", metavar="DOLLARS")]
TaskBudget = Annotated[int | None, Flag(help="tokens before the session ends", minimum=1)]
TimeToLive = Annotated[int | None, Flag(help="seconds before the session ends", minimum=1)]
IdempotentKey = Annotated[str, Flag(help="key under which one session is active", metavar="KEY")]
OnLimit = Annotated[str, Flag(help="at a usage limit: wait for its end, or stop", choices=ON_LIMIT)]
OneShot = Annotated[
    bool | None, Flag(help="end of the session after its first completed turn", off_spelling="--no-one-shot")
]
Events = Annotated[int, Flag(help="number of recent events", minimum=1)]
Lines = Annotated[int, Flag(help="number of pane lines, counted from its end", minimum=1)]
TokenBudget = Annotated[int, Flag(help="size limit in tokens of 4 bytes", minimum=1)]
SummaryStyle = Annotated[
    str, Flag(help="layout of the summary", choices=("terse", "ops", "debug"), aliases={"": "terse"})
]
Strategy = Annotated[
    str, Flag(help="size and detail of the pack", choices=("terse", "balanced", "full"), aliases={"": "balanced"})
]
Redact = Annotated[
    str,
    Flag(
        help="redaction rules: none|all|paths|emails|secrets|numbers|tokens",
        metavar="CSV",
        code="invalid_redact_rules",
    ),
]
CursorFile = Annotated[str, Flag(help="file with the position of this reader", metavar="PATH", acts=True)]
DeltaFrom = Annotated[str, Flag(help="only output since an offset or time", metavar="VALUE")]
Markers = Annotated[str, Flag(help="comma-separated texts to search for", metavar="CSV")]
KeepNoise = Annotated[bool, Flag(help="unfiltered start-up lines of agents", off_spelling="--strip-noise")]
MAX_HOURS = 100 * 366 * 24
"""A lifetime over a century is a typing error and exceeds the range of clocks."""
Hours = Annotated[int, Flag(help="number of hours back from now; 0: all", minimum=0, maximum=MAX_HOURS)]
Columns = Annotated[int, Flag(help="columns of the pane", minimum=1, maximum=10_000)]
Rows = Annotated[int, Flag(help="rows of the pane", minimum=1, maximum=10_000)]
PollInterval = Annotated[int, Flag(help="seconds between reported polls; events are reported at once", minimum=1)]
MaxPolls = Annotated[int, Flag(help="maximum number of polls", minimum=1)]
TimeoutSeconds = Annotated[int | None, Flag(help="maximum time in seconds", minimum=1)]
StopOnWaiting = Annotated[bool, Flag(help="end condition: the session waits for input", boolean_word=True)]
TurnComplete = Annotated[bool, Flag(help="required completed turn since the last input", boolean_word=True)]
UntilMarker = Annotated[str, Flag(help="end condition: text in the output after the last input", metavar="TEXT")]
UntilState = Annotated[str, Flag(help="end condition: session state", choices=("", *SESSION_STATES), metavar="STATE")]
UntilJsonpath = Annotated[str, Flag(help="end condition: status field, a.b or a.b=value", metavar="EXPR")]
Expect = Annotated[str, Flag(help="required end condition", choices=("any", "terminal", "marker"))]
AutoRecover = Annotated[bool, Flag(help="one Enter at the timeout, then further waiting", acts=True)]
RecoverMax = Annotated[int, Flag(help="maximum number of recoveries", minimum=1)]
RecoverBudget = Annotated[int | None, Flag(help="maximum number of polls over all rounds", minimum=1)]
Fields = Annotated[str, Flag(help="packet fields to include, as dotted paths", metavar="CSV")]
AllHashes = Annotated[bool, Flag(help="cleanup of this session name in other projects, too")]
NoArchive = Annotated[bool, Flag(help="removal of the conversation, too")]
PromptFile = Annotated[str, Flag(help="file with the first prompt; `-` is standard input", metavar="PATH")]
DialogId = Annotated[str, Flag(help="id of the dialog; default: the only open one", metavar="ID")]
SinceFrame = Annotated[str, Flag(help="`cursor` of the last known frame, or start", metavar="CURSOR")]
RawFrames = Annotated[bool, Flag(help="one JSON line per frame, nothing else on stdout")]
BeforeFrame = Annotated[str, Flag(help="`cursor` of the oldest known frame", metavar="CURSOR")]
FrameLimit = Annotated[int, Flag(help="maximum number of recorded frames, the newest", minimum=0)]
AllFrames = Annotated[bool, Flag(help="all frames, with full times", other_spellings=("-v",))]
Interactive = Annotated[bool, Flag(help="typed lines as prompts and answers", other_spellings=("-i",), acts=True)]
ReadOnly = Annotated[bool, Flag(help="no input to the session")]
UsedTokens = Annotated[int, Flag(help="minimum tokens already used", minimum=1)]
UsedSeconds = Annotated[int, Flag(help="minimum seconds already used", minimum=1)]
UsedSteps = Annotated[int, Flag(help="minimum steps already done", minimum=1)]
UsedBy = Annotated[
    tuple[str, ...], Flag(help="usage of a session from its transcript", metavar="NAME", repeatable=True)
]
Combine = Annotated[
    str, Flag(help="combination of reports: one job (max) or separate jobs (sum)", choices=("max", "sum"))
]
