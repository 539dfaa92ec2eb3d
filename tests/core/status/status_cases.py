# ruff: noqa: E501 - one row per line
"""Every condition of a session with its source and status, for the tests of the verdict and for its docs page.

python -m tests.core.status.status_cases       writes docs/guide/states.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET

from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.contract.status import AgentReport, Status
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.verdict import judge
from lisa_py.host.pane import Pane
from lisa_py.host.processes import Process
from lisa_py.store.session_records import EndRecord

NOW = 1_800_000_000.0
PAGE = Path(__file__).parents[3] / "docs" / "guide" / "states.md"


def pane(**changes: Any) -> Pane:
    fields: dict[str, Any] = {
        "session": "lisa-x", "pane_id": "%1", "pid": 100, "dead": False, "dead_status": "", "dead_signal": "",
        "alternate": False, "in_mode": False, "activity": NOW - 2, "history": 0, "height": 60, "width": 220, "title": "",
    }  # fmt: skip
    return Pane(**{**fields, **changes})


def process(pid: int = 100, name: str = "sh", state: str = "S", **changes: Any) -> Process:
    fields: dict[str, Any] = {"ppid": 1, "started": 1.0, "cpu_seconds": 0.5, "argv": (name,)}
    return Process(pid=pid, name=name, state=state, **{**fields, **changes})


AGENT = process(120, "claude")
SHELL = process(110, "bash")


def meta(**changes: Any) -> SessionMeta:
    fields: dict[str, Any] = {
        "session": "lisa-x", "agent": "claude", "mode": "interactive", "run_id": "1", "created_unix": NOW - 60,
        "pane_id": "%1", "pane_pid": 100, "pane_started": 1.0, "project_root": "/p",
    }  # fmt: skip
    return SessionMeta(**{**fields, **changes})


def live_session(**changes: Any) -> Evidence:
    """A session whose supervisor and agent are alive."""
    fields: dict[str, Any] = {
        "session": "lisa-x", "agent": "claude", "agent_title": "Claude", "mode": "interactive", "meta": meta(),
        "pane": pane(), "started": True, "heartbeat_at": NOW - 1, "root": process(),
        "root_age": 60.0, "heartbeat_alive": True, "agent_process": AGENT, "recognised": True, "workload": (SHELL, AGENT),
    }  # fmt: skip
    return Evidence(**{**fields, **changes})


def command_session(**changes: Any) -> Evidence:
    """A session of --command: only its processes give evidence."""
    fields: dict[str, Any] = {"meta": meta(custom_command=True), "recognised": False, "agent_process": SHELL}
    return live_session(**{**fields, "workload": (SHELL,), **changes})


def ended_session(**changes: Any) -> Evidence:
    """A session whose pane is dead."""
    fields: dict[str, Any] = {
        "pane": pane(dead=True), "root": None, "workload": (), "agent_process": None, "recognised": False,
        "heartbeat_alive": False,
    }  # fmt: skip
    return live_session(**{**fields, **changes})


def missing_session(**changes: Any) -> Evidence:
    """Records without a tmux session."""
    return ended_session(**{"pane": None, **changes})


def agent_report(source: str, state: str, **changes: Any) -> AgentReport:
    return AgentReport(source=source, state=state, **changes)  # type: ignore[arg-type]


def input_state(seconds_ago: float, *, accepted: bool = False) -> SessionState:
    at = NOW - seconds_ago
    return SessionState(last_input_at=at, last_input_expects_turn=True, last_input_accepted_at=at if accepted else 0.0)


class Case(NamedTuple):
    """One condition."""

    group: str
    condition: str
    decides: str
    evidence: Evidence
    state: str
    reason: str
    agent: str = "unknown"
    waiting_for: str = ""

    @property
    def status(self) -> Status:
        return judge(self.evidence, NOW)


ENDS = "Ended"
LOST = "Missing evidence"
STARTS = "Starting"
WORKS = "Working"
WAITS = "Waiting"
TURNS = "After an input"
COMMANDS = "Sessions of --command, and agents without signals"

CASES: tuple[Case, ...] = (
    Case(ENDS, "the agent has exited with 0", "end record", ended_session(end=EndRecord("1", 0, NOW)), "completed", "done_file", "exited"),
    Case(ENDS, "the agent has exited with another code", "end record", ended_session(end=EndRecord("1", 3, NOW)), "crashed", "done_file", "exited"),
    Case(ENDS, "the agent was killed (`kill -9`, out of memory)", "end record", ended_session(end=EndRecord("1", 137, NOW)), "crashed", "done_file", "killed"),
    Case(ENDS, "tmux missed the end of the pane", "end record", ended_session(pane=pane(), end=EndRecord("1", 0, NOW)), "completed", "done_file", "exited"),
    Case(ENDS, "the agent has ended, and tmux does not answer", "end record", ended_session(pane=None, tmux_error="timeout", end=EndRecord("1", 0, NOW)), "completed", "done_file", "exited"),
    Case(ENDS, "no end record, the pane exited with 0", "pane", ended_session(pane=pane(dead=True, dead_status="0")), "completed", "pane_exited_zero", "exited"),
    Case(ENDS, "no end record, the pane exited with another code", "pane", ended_session(pane=pane(dead=True, dead_status="2")), "crashed", "pane_exited_nonzero", "exited"),
    Case(ENDS, "supervisor and agent killed with the pane kept", "pane", ended_session(pane=pane(dead=True, dead_signal="9")), "crashed", "pane_crashed", "killed"),
    Case(ENDS, "dead pane without exit code and end record", "pane", ended_session(), "crashed", "pane_crashed", "killed"),
    Case(ENDS, "the supervisor was killed, the pane is still open", "process", live_session(root=None, workload=(), agent_process=None), "crashed", "supervisor_lost", "killed"),
    Case(ENDS, "the pane's process id was reused by another process", "process", live_session(root=None, workload=(), agent_process=None, heartbeat_alive=False), "crashed", "supervisor_lost", "killed"),
    Case(ENDS, "dead pane, only an end record of another run", "pane", ended_session(other_end=EndRecord("0", 0, NOW)), "crashed", "pane_crashed", "killed"),
    Case(ENDS, "never existed", "tmux", Evidence(session="lisa-x"), "not_found", "session_not_found"),
    Case(ENDS, "being spawned", "tmux", missing_session(meta=meta(pane_pid=0), started=False), "not_found", "session_not_found"),
    Case(ENDS, "tmux session killed by hand", "tmux", missing_session(), "not_found", "session_not_found", "gone"),
    Case(ENDS, "tmux session killed by hand after the agent had ended", "tmux", missing_session(end=EndRecord("1", 0, NOW)), "not_found", "session_not_found", "exited"),
    Case(ENDS, "tmux server gone (crash, reboot) while the agent worked", "tmux", missing_session(server_lost=True), "crashed", "tmux_server_lost", "gone"),
    Case(ENDS, "tmux server gone, its end hung up the agent", "tmux", missing_session(server_lost=True, end=EndRecord("1", 129, NOW)), "crashed", "tmux_server_lost", "gone"),
    Case(ENDS, "tmux server gone after the agent had ended", "end record", missing_session(server_lost=True, end=EndRecord("1", 0, NOW)), "completed", "done_file", "exited"),
    Case(LOST, "tmux missing, timed out or refused", "none", missing_session(tmux_error="timeout", tmux_error_code="tmux_unavailable"), "degraded", "tmux_unavailable"),
    Case(LOST, "tmux server gone, but the agent still runs", "process", missing_session(server_lost=True, orphan=process()), "degraded", "tmux_server_lost"),
    Case(LOST, "tmux answers without the pane, but the agent still runs", "process", missing_session(orphan=process()), "degraded", "tmux_unavailable"),
    Case(LOST, "its tmux server lives, but another one has its socket", "none", missing_session(tmux_error="taken", tmux_error_code="tmux_unavailable"), "degraded", "tmux_unavailable"),
    Case(LOST, "the session's metadata cannot be read", "none", live_session(meta=None, meta_error="broken", reports=(agent_report("agent_file", "idle"),)), "degraded", "meta_read_error"),
    Case(LOST, "dead pane without exit code, unreadable end record", "none", ended_session(end_error="broken"), "degraded", "done_file_read_error"),
    Case(LOST, "the agent is stopped (`kill -STOP`)", "process", live_session(agent_process=process(120, "claude", "T")), "stuck", "process_stopped"),
    Case(LOST, "the supervisor is alive, its command and heartbeat are not", "process", live_session(launched=True, workload=(), heartbeat_alive=False, heartbeat_at=NOW - 30, agent_process=None), "stuck", "stuck_no_signals"),
    Case(LOST, "the same with the end record of another run", "process", live_session(workload=(), heartbeat_alive=False, heartbeat_at=NOW - 30, agent_process=None, other_end=EndRecord("0", 0, NOW)), "stuck", "stuck_marker_run_mismatch"),
    Case(LOST, "the same with an unreadable end record", "none", live_session(workload=(), heartbeat_alive=False, heartbeat_at=NOW - 30, agent_process=None, end_error="broken"), "degraded", "done_file_read_error"),
    Case(LOST, "the machine was suspended: old heartbeat, living loop", "process", live_session(workload=(), agent_process=None, heartbeat_at=NOW - 9000), "in_progress", "heartbeat_fresh_agent_pid_unresolved"),
    Case(STARTS, "the supervisor has not started the agent yet", "grace (5 s)", live_session(started=False, workload=(), agent_process=None, root_age=1.0, heartbeat_alive=False), "just_started", "grace_period_just_started", "starting"),
    Case(STARTS, "the agent has been launched and is not there: it comes, or has just ended", "at once", live_session(workload=(), agent_process=None, launched=True, root_age=1.0), "in_progress", "heartbeat_fresh_agent_pid_unresolved", "unknown"),
    Case(STARTS, "the same of a command", "at once", live_session(meta=meta(custom_command=True), workload=(), agent_process=None, launched=True, root_age=0.1), "in_progress", "heartbeat_fresh_agent_pid_unresolved", "unknown"),
    Case(STARTS, "the supervisor is starting the agent", "grace (5 s)", live_session(workload=(), agent_process=None, root_age=1.0), "just_started", "grace_period_just_started", "starting"),
    Case(STARTS, "an agent with hooks that has reported nothing yet", "process", live_session(meta=meta(hooks=True, created_unix=NOW - 1), root_age=1.0), "just_started", "agent_starting", "starting"),
    Case(STARTS, "the agent reports that it is starting", "the agent's most trusted report", live_session(reports=(agent_report("hook", "starting", at=NOW - 1),), root_age=2.0), "just_started", "agent_starting", "starting"),
    Case(STARTS, "the agent still reports so after a minute", "the agent's most trusted report", live_session(reports=(agent_report("hook", "starting", at=NOW - 90),), root_age=90.0), "in_progress", "agent_starting", "starting"),
    Case(STARTS, "between the agent's end and its record (milliseconds)", "process", live_session(workload=(), agent_process=None), "in_progress", "heartbeat_fresh_agent_pid_unresolved"),
    Case(WORKS, "thinking, before any output", "agent file", live_session(reports=(agent_report("agent_file", "thinking"),)), "in_progress", "agent_thinking", "thinking"),
    Case(WORKS, "streaming an answer", "title, refined by the transcript", live_session(reports=(agent_report("title", "thinking"), agent_report("transcript", "streaming", at=NOW))), "in_progress", "agent_streaming", "streaming"),
    Case(WORKS, "a tool runs, also without CPU use", "agent file, refined by hook, transcript or process", live_session(reports=(agent_report("agent_file", "thinking"), agent_report("hook", "tool", at=NOW, detail="Bash"))), "in_progress", "agent_tool", "tool"),
    Case(WORKS, "the API failed and the agent retries", "agent file, refined by the screen", live_session(reports=(agent_report("agent_file", "thinking"), agent_report("screen", "retrying", error="overloaded"))), "in_progress", "agent_retrying", "retrying"),
    Case(WORKS, "hooks report busy, the transcript a later interrupt", "transcript", live_session(reports=(agent_report("hook", "tool", at=NOW - 9), agent_report("transcript", "interrupted", at=NOW - 2))), "waiting_input", "agent_interrupted", "interrupted", "prompt"),
    Case(WORKS, "idle by the screen, busy by the agent's own file", "agent file", live_session(reports=(agent_report("agent_file", "thinking"), agent_report("screen", "idle"))), "in_progress", "agent_thinking", "thinking"),
    Case(WORKS, "exec: running without reports", "process", live_session(mode="exec"), "in_progress", "agent_pid_alive"),
    Case(WORKS, "exec: its turn has ended, it is about to exit", "the agent's most trusted report", live_session(mode="exec", reports=(agent_report("agent_file", "idle"),)), "in_progress", "agent_finishing", "idle"),
    Case(WORKS, "exec: it asks (it is never reported as waiting)", "the agent's most trusted report", live_session(mode="exec", reports=(agent_report("screen", "waiting", waiting_for="trust"),)), "in_progress", "agent_blocked", "waiting"),
    Case(WORKS, "a hook reports that the agent exits", "hook", live_session(reports=(agent_report("hook", "exited", at=NOW),)), "in_progress", "agent_ending", "exited"),
    Case(WAITS, "idle, for the next prompt", "agent file", live_session(reports=(agent_report("agent_file", "idle"),)), "waiting_input", "agent_idle", "idle", "prompt"),
    Case(WAITS, "asks for permission", "agent file, title or hook", live_session(reports=(agent_report("title", "waiting", waiting_for="permission"),)), "waiting_input", "agent_waiting_permission", "waiting", "permission"),
    Case(WAITS, "asks a question", "agent file or hook", live_session(reports=(agent_report("agent_file", "waiting", waiting_for="question"),)), "waiting_input", "agent_waiting_question", "waiting", "question"),
    Case(WAITS, "an open dialog, its kind read from the screen", "agent file, refined by the screen", live_session(reports=(agent_report("agent_file", "waiting", waiting_for="dialog"), agent_report("screen", "waiting", waiting_for="update"))), "waiting_input", "agent_waiting_update", "waiting", "update"),
    Case(WAITS, "a start-up dialog (trust, login, bypass, API key, hooks)", "screen", live_session(reports=(agent_report("activity", "idle"), agent_report("screen", "waiting", waiting_for="trust"))), "waiting_input", "agent_waiting_trust", "waiting", "trust"),
    Case(WAITS, "the same while its process uses CPU", "screen", live_session(meta=meta(hooks=True, created_unix=NOW - 2), root_age=2.0, reports=(agent_report("activity", "thinking"), agent_report("screen", "waiting", waiting_for="trust"))), "waiting_input", "agent_waiting_trust", "waiting", "trust"),
    Case(WAITS, "the turn was interrupted", "agent file, refined by the transcript", live_session(reports=(agent_report("agent_file", "idle"), agent_report("transcript", "interrupted", at=NOW))), "waiting_input", "agent_interrupted", "interrupted", "prompt"),
    Case(WAITS, "the turn ended in an API error", "agent file, refined by hook or transcript", live_session(reports=(agent_report("agent_file", "idle"), agent_report("transcript", "error", at=NOW, error="server"))), "waiting_input", "agent_error", "error", "error"),
    Case(WAITS, "rate limit, usage limit or no credit ended the turn", "agent file, refined by hook or transcript", live_session(reports=(agent_report("agent_file", "idle"), agent_report("hook", "error", at=NOW, error="usage_limit"))), "waiting_input", "agent_error", "error", "limit"),
    Case(TURNS, "an input was sent, the idle report is older", "turn boundary", live_session(state=input_state(2), reports=(agent_report("agent_file", "idle", at=NOW - 30),)), "in_progress", "prompt_pending", "thinking"),
    Case(TURNS, "an input was sent, a live idle report, no confirmation", "turn boundary", live_session(state=input_state(2), reports=(agent_report("title", "idle"),)), "in_progress", "prompt_pending", "thinking"),
    Case(TURNS, "the same for ten seconds", "turn boundary (10 s)", live_session(state=input_state(12), reports=(agent_report("agent_file", "idle", at=NOW - 30),)), "waiting_input", "prompt_not_taken", "idle", "prompt"),
    Case(TURNS, "a turn that is interrupted at once is over for the transcript", "agent file", live_session(state=input_state(2), reports=(agent_report("agent_file", "interrupted"), agent_report("hook", "thinking", at=NOW - 0.4), agent_report("transcript", "interrupted", at=NOW - 0.2))), "waiting_input", "agent_interrupted", "interrupted", "prompt"),
    Case(TURNS, "the transcript has the start, the live report is late", "transcript", live_session(state=input_state(2), reports=(agent_report("title", "idle"), agent_report("transcript", "thinking", at=NOW - 0.3))), "in_progress", "agent_thinking", "thinking"),
    Case(TURNS, "the turn has started and ended since", "agent file", live_session(state=input_state(5), prompted_at=NOW - 4.9, reports=(agent_report("agent_file", "idle", at=NOW - 1),)), "waiting_input", "agent_idle", "idle", "prompt"),
    Case(TURNS, "a live idle report, and the transcript has the input", "title", live_session(state=input_state(9), frames=(Frame(kind="user", at=NOW - 8.9),), reports=(agent_report("title", "idle"), agent_report("transcript", "idle", at=NOW - 3))), "waiting_input", "agent_idle", "idle", "prompt"),
    Case(TURNS, "a newly started agent is idle, its first prompt not accepted yet", "turn boundary", live_session(state=input_state(3), reports=(agent_report("agent_file", "idle", at=NOW - 1),)), "in_progress", "prompt_pending", "thinking"),
    Case(TURNS, "idle by the screen, an agent with hooks has not started", "turn boundary", live_session(meta=meta(hooks=True), state=input_state(4), reports=(agent_report("screen", "idle", waiting_for="prompt"),)), "in_progress", "prompt_pending", "thinking"),
    Case(TURNS, "an error older than the newest input", "turn boundary", live_session(state=input_state(2), reports=(agent_report("hook", "error", at=NOW - 60, error="auth"),)), "in_progress", "prompt_pending", "thinking"),
    Case(COMMANDS, "a shell at its prompt", "activity: it reads its terminal", command_session(reports=(agent_report("activity", "idle"),)), "waiting_input", "interactive_shell_idle", "idle", "prompt"),
    Case(COMMANDS, "a program that reads its terminal", "activity: it reads its terminal", command_session(agent_process=process(110, "python3"), reports=(agent_report("activity", "idle"),)), "waiting_input", "interactive_idle_cpu", "idle", "prompt"),
    Case(COMMANDS, "a shell that runs a command", "activity: a child runs", command_session(reports=(agent_report("activity", "tool"),)), "in_progress", "interactive_child_process", "tool"),
    Case(COMMANDS, "a shell that computes", "activity: CPU time", command_session(reports=(agent_report("activity", "thinking"),)), "in_progress", "interactive_shell_busy", "thinking"),
    Case(COMMANDS, "a program that waits for the network or a timer", "activity: it does not read its terminal", command_session(agent_process=process(110, "python3"), reports=(agent_report("activity", "thinking"),)), "in_progress", "non_shell_command", "thinking"),
    Case(COMMANDS, "a working agent without signals", "activity", live_session(reports=(agent_report("activity", "thinking"),)), "in_progress", "agent_pid_alive", "thinking"),
    Case(COMMANDS, "an agent without signals that reads its terminal", "activity", live_session(reports=(agent_report("activity", "idle"),)), "waiting_input", "interactive_idle_cpu", "idle", "prompt"),
    Case(COMMANDS, "a living process without other evidence", "process", command_session(), "in_progress", "non_shell_command"),
)  # fmt: skip

TODOS = (Todo("one", "completed"), Todo("two", "in_progress"), Todo("three", "pending"))
WITH_TODOS = live_session(
    reports=(agent_report("agent_file", "thinking"),), frames=(Frame(kind="turn_start", at=NOW - 20),), todos=TODOS
)

_HEAD = """\
# Session states and their evidence

<!-- made from tests/core/status/status_cases.py by `python -m tests.core.status.status_cases`; a test fails when it is out of date -->

`sessionState` has eight values; `agentState` and `waitingFor` are more exact, `classificationReason` names the rule, and
`stateSource` the kind of evidence that decided. Evidence is trusted in this order: the supervisor's end record, the pane and
its process, then for a living agent its own state file, its terminal title, its hooks, its transcript, its processes, and
last the screen. Less trusted evidence may refine a state (thinking: a tool runs), never contradict it. Reading the state of
a session changes nothing.

`programStatus` beside it is the same in the words of the Program Status Protocol (OSC 7501): `working` for `just_started` and
`in_progress`, `idle` for an agent that waits for the next prompt, `blocked` for one that asks, `error` after an error or at a
limit and for `crashed` and `stuck`, `done` for `completed`, and `unknown` for `degraded` and `not_found`.

`helpers` lists what runs beside the turn: subagents and background shells of claude, its teammates as its newest end of a turn
names them, and subagents of codex. Each has `kind`, `state` (running, ended), `name`, `startedUnix` and `ageSeconds`. claude waits
for its background subagents itself: the session is `in_progress` until they end. It does not wait for a background shell, nor codex
for a subagent: the session then waits for the next prompt, and `stateDetail` says `1 background shell still runs`. `session explain`
shows them, `session list --json` their number.
"""


def render_page() -> str:
    """Return the docs page."""
    parts = [_HEAD]
    for group in dict.fromkeys(case.group for case in CASES):
        parts.append(f"\n## {group}\n\n| condition | evidence | sessionState | reason | agentState | waitingFor |")
        parts.append("|---|---|---|---|---|---|")
        parts += [
            f"| {case.condition} | {case.decides} | `{case.state}` | `{case.reason}` | {case.agent} | {case.waiting_for} |"
            for case in CASES
            if case.group == group
        ]
    return "\n".join(parts) + "\n"


def summarize(status: Status) -> tuple[str, str, str, str]:
    return status.session_state, status.classification_reason, status.agent_state, status.waiting_for


def exit_code(status: Status) -> int | None:
    return None if status.exit_code is UNSET else status.exit_code


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render_page(), encoding="utf-8")
