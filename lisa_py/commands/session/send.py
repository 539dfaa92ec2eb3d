"""Send text, keys or an answer, and confirm its acceptance."""

# annotations are evaluated here: as strings they cost a one-shot call its first `compile` (decision 0017)
from msgspec import UNSET, Struct

from lisa_py.contract.command import Command
from lisa_py.contract.common_flags import Answer, Enter, Force, Keys, ProjectRoot, ReplaceDraft, Session, Text, TextFile
from lisa_py.core.context import Context
from lisa_py.core.send import result, send, send_request
from lisa_py.core.send.result import SendResult


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    text: Text = ""
    text_file: TextFile = ""
    keys: Keys = ""
    answer: Answer = ""
    enter: Enter = False
    force: Force = False
    replace_draft: ReplaceDraft = False


def run(args: Args, ctx: Context) -> SendResult:
    payload = send_request.build_payload(ctx, args)
    ref = ctx.ref(args.session, args.project_root)
    return send.send_payload(ctx, ref, payload)


def text(answer: SendResult, args: Args) -> str:
    if not answer.ok:
        why = "" if answer.error is UNSET else f": {answer.error}"
        return f"typed, but not accepted by the agent{why} (lisa session capture --raw shows its screen)"
    if answer.session_state is not UNSET:
        return f"ok: the text ended the agent; the session is {answer.session_state}"
    return "ok" if answer.answered is UNSET else f"ok: {answer.answered.text}"


COMMAND = Command(
    group="daily",
    args=Args,
    answer=SendResult,
    run=run,
    text=text,
    min=("session", "ok", "delivered", "objective", "error_code", "error"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(
        *send_request.ERRORS,
        *send.ERRORS,
        *result.NOT_ACCEPTED,
    ),
    example='lisa session send --session lisa-demo-1 --text "Continue with safe fixes" --enter\n'
    "lisa session send --session lisa-demo-1 --answer yes",
    exits={0: "delivered, or no contrary evidence", 1: "refused, failed or not accepted; see errorCode"},
    notes="""\
The text is pasted in one piece, submitted with --enter, and followed until the agent accepts it. delivered is true with
evidence of acceptance, false without, and unverified if this agent or command gives no evidence. Control characters
except tab and newline are removed and counted in stripped. Senders to one session take turns.

A text is typed only into a visible, empty input box. A draft in the box is refused as input_not_empty; --replace-draft
removes it and returns it in replacedDraft. An editor, a pager, a shell mode, a suspended agent or an unknown screen is
refused as input_not_visible.

Accepted means that the conversation holds exactly this text. prompt_blocked_by_hook: a hook of the user rejected it;
command_unknown: the agent has no such command (error has its words); prompt_joined: it was submitted together with the
text in joinedWith. altered counts what the agent replaced. sessionState is set if the text ended the agent.

--answer selects a choice of the open dialog and presses Enter once the screen shows it selected. In a question with
several choices, --answer 2,3 ticks exactly these and submits them. delivered is true once the question is closed.
answered.ticked lists the ticked choices; answered.open and openQuestion are set if the agent asks on.

--keys presses keys by their tmux names (Escape, C-c, Down) in order; Escape is separated from the next key.""",
)
