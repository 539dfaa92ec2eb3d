"""Sinks of notices: the terminal, the status line of tmux, a program, a webhook, and every service of apprise."""

from __future__ import annotations

import importlib.util
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.notices import SessionNotice
from lisa_py.contract.status import Status
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.fleet import watch
from lisa_py.core.wait.webhook import Webhook
from lisa_py.host import user_terminal, user_tmux
from lisa_py.host.run import run_program
from lisa_py.store.paths import Project
from lisa_py.terminal.notification import build_notification

TMUX_OPTION = "@lisa"
PROGRAM_SECONDS = 30.0
QUEUE_SIZE = 200
CLOSE_SECONDS = 5.0
REFERENCES = ("env:", "file:", "secret://", "hive://secret/")
"""Beginnings of a sink that is stored elsewhere: an address with a token does not belong on a command line."""
ERRORS = (*secrets.ERRORS, "invalid_notify", "invalid_webhook", "no_terminal", "not_in_tmux", "notify_extra_missing")


_QUIET_RUN = """\
exec 4>&1
code=$({ { /bin/sh -c "$1" 2>&3 >/dev/null 3>&- 4>&- 5>&-; echo $? >&5; } 3>&1 |
  { head -c 200 >&4; exec cat >/dev/null; }; } 5>&1)
exit "$code"
"""
"""Runs a command, prints the beginning of its errors and drops the rest, however much a program prints."""


class NoticeSink:
    """A receiver of notices; this base class ignores them."""

    def show(self, statuses: Sequence[Status]) -> None:
        """Take the states of all sessions after a change."""

    def send(self, notice: SessionNotice) -> None:
        """Take a notice, without delay."""

    def close(self) -> None:
        """Deliver what waits, for a few seconds."""


def open_sink(ctx: Context, project: Project, target: str) -> NoticeSink:
    """Return the sink of a word of `--notify`. Raise LisaError with a code of ERRORS."""
    word = secrets.resolve_value(ctx, project, target) if target.startswith(REFERENCES) else target
    if word == "term":
        user_terminal.write_terminal("")
        return _TerminalSink(ctx)
    if word == "tmux":
        return _TmuxSink(ctx)
    if word.startswith("exec:") and word.removeprefix("exec:").strip():
        return _ProgramSink(ctx, word.removeprefix("exec:").strip())
    if word.startswith(("http://", "https://")):
        return _WebhookSink(ctx, word, target)
    if "://" in word:
        return _AppriseSink(ctx, word)
    expected = "term, tmux, exec:COMMAND, an https address, a URL of apprise, or env:NAME, file:PATH, secret://NAME"
    raise UsageError("invalid_notify", f"invalid --notify: {target} (expected {expected})")


class _TerminalSink(NoticeSink):
    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def send(self, notice: SessionNotice) -> None:
        sequence = build_notification(f"lisa: {notice.title}", notice.text, self._ctx.settings.environ)
        try:
            user_terminal.write_terminal(sequence)
        except LisaError as problem:
            self._ctx.warn_about(problem)


class _TmuxSink(NoticeSink):
    """Counts in an option, for a status line such as `set -g status-right '#{@lisa}'`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._shown = ""
        user_tmux.set_option(ctx.settings, TMUX_OPTION, "")

    def show(self, statuses: Sequence[Status]) -> None:
        counts: Counter[str] = Counter(watch.classify(status) or "work" for status in statuses)
        words = {"asks": "ask", "limit": "at a limit", "failed": "failed", "work": "work", "done": "done"}
        line = " · ".join(f"{counts[kind]} {word}" for kind, word in words.items() if counts[kind])
        if line != self._shown:
            self._shown = line
            try:
                user_tmux.set_option(self._ctx.settings, TMUX_OPTION, line)
            except LisaError as problem:
                self._ctx.warn_about(problem)

    def close(self) -> None:
        try:
            user_tmux.set_option(self._ctx.settings, TMUX_OPTION, None)
        except LisaError as problem:
            self._ctx.warn_about(problem)


class _WebhookSink(NoticeSink):
    """An address; its failure is reported when it begins, and at the end if notices were lost since."""

    def __init__(self, ctx: Context, address: str, name: str) -> None:
        """`name` is shown instead of the address, which may hold a token."""
        self._ctx = ctx
        self._address, self._name = address, name
        self._reported = ""
        self._webhook = Webhook(address, ctx.settings, self._report)

    def _report(self, problem: str) -> None:
        self._reported = problem
        self._ctx.warn(f"watch: {problem.replace(self._address, self._name)}")

    def send(self, notice: SessionNotice) -> None:
        self._webhook.send(notice)

    def close(self) -> None:
        problem = self._webhook.close()
        if problem and problem != self._reported:
            self._report(problem)


class _ThreadSink(NoticeSink):
    """A sink whose deliveries take time: a thread makes them, in order."""

    def __init__(self, ctx: Context, name: str, deliver: Callable[[SessionNotice], str]) -> None:
        """`deliver` returns the reason of a failure."""
        self._ctx = ctx
        self._name = name
        self._deliver = deliver
        self._waiting: queue.Queue[SessionNotice | None] = queue.Queue(QUEUE_SIZE)
        self._thread = threading.Thread(target=self._run, name=f"notify-{name}", daemon=True)
        self._thread.start()

    def send(self, notice: SessionNotice) -> None:
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            self._ctx.warn(f"watch: {self._name} is too slow; a notice of {notice.session} was dropped")

    def close(self) -> None:
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            self._ctx.warn(f"watch: {self._name} is too slow; {self._waiting.qsize()} notices were dropped")
            return
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (notice := self._waiting.get()) is not None:
            try:
                problem = self._deliver(notice)
            except (LisaError, OSError) as failure:  # no process left, for one: the next notice may go
                problem = str(failure)
            if problem:
                self._ctx.warn(f"watch: {self._name} failed: {problem}")


class _ProgramSink(_ThreadSink):
    """A shell command with the notice as JSON on its standard input."""

    def __init__(self, ctx: Context, command: str) -> None:
        self._command = command
        super().__init__(ctx, "exec", self._run_command)

    def _run_command(self, notice: SessionNotice) -> str:
        raw = msgspec.json.encode(notice, order="sorted") + b"\n"
        result = run_program(
            ["/bin/sh", "-c", _QUIET_RUN, "sh", self._command],
            timeout=PROGRAM_SECONDS,
            stdin=raw,
            env=self._ctx.settings.environ,
            group=True,
        )
        if result.code == 0:
            return ""
        return result.text.strip() or f"exit code {result.code}"


class _AppriseSink(_ThreadSink):
    """A service of apprise, by its URL."""

    def __init__(self, ctx: Context, address: str) -> None:
        if importlib.util.find_spec("apprise") is None:
            text = "this sink needs apprise; install it with: pip install 'lisa-py[notify]'"
            raise LisaError("notify_extra_missing", text)
        import apprise  # noqa: PLC0415 - 0.6 s, only this sink needs it

        self._service = apprise.Apprise()
        if not self._service.add(address):
            scheme = address.partition("://")[0]
            raise UsageError("invalid_notify", f"invalid --notify: apprise does not take this URL ({scheme}://...)")
        super().__init__(ctx, "apprise", self._notify)

    def _notify(self, notice: SessionNotice) -> str:
        body = "\n".join(filter(None, (notice.text, notice.command)))
        return "" if self._service.notify(title=f"lisa: {notice.title}", body=body) else "the service refused it"
