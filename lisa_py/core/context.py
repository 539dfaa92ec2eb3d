"""What every command is handed: settings, clocks, the current folder, and the channels to whoever called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import Clock
from lisa_py.host.env import Settings
from lisa_py.host.files import StagedFile
from lisa_py.host.tmux import Tmux
from lisa_py.store import paths, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import Project, SessionRef


def _ignore(_: Any) -> None:
    return None


class LiveDisplay:
    """Where a command at work shows itself to a person; this one shows nothing."""

    columns = 0
    """Width of the terminal; 0 when nobody looks at one."""

    def write_line(self, line: str) -> None:
        """One line that stays."""

    def show_rows(self, rows: Sequence[str]) -> None:
        """Rows that take the place of those shown before, below all lines; only on a terminal."""


class Context:
    """The only thing besides its arguments that a command sees; tests build their own."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        cwd: str = "",
        given_fields: frozenset[str] = frozenset(),
        output_format: str = "text",
        emit: Callable[[Any], None] = _ignore,
        warn: Callable[[str], None] = _ignore,
        progress: Callable[[str], None] = _ignore,
        live_display: LiveDisplay | None = None,
        stdin: Callable[[], bytes] = bytes,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self._cwd = cwd
        self.given_fields = given_fields
        """Names of the fields the user wrote on the command line."""
        self.output_format = output_format
        """text, json or json-min."""
        self.emit = emit
        """Streams one typed event before the answer."""
        self.warn = warn
        """One line for people, on stderr."""
        self.progress = progress
        """One live line on a terminal; nothing when piped."""
        self.live_display = live_display or LiveDisplay()
        """Lines and a live board for people, on stdout; nothing unless text was asked for."""
        self.stdin = stdin
        self._servers: dict[str, Tmux] = {}
        self._pending_cursors: list[StagedFile] | None = None

    @property
    def cwd(self) -> str:
        """The current folder. Raises LisaError(invalid_project_root) when it was removed under us."""
        self._cwd = self._cwd or files.canonical_path("")
        return self._cwd

    def project(self, root: str = "") -> Project:
        """The project of --project-root, else of the current folder."""
        return paths.resolve_project(root or self.cwd, self.settings)

    def existing_project(self, root: str = "") -> Project:
        """As project; raises LisaError(invalid_project_root) when it is not a folder."""
        found = self.project(root)
        if not files.is_dir(found.root):
            raise LisaError("invalid_project_root", f"invalid --project-root: {found.root} is not a folder")
        return found

    def ref(self, name: str, root: str = "") -> SessionRef:
        """Where a session's records lie; see store.session.find for the order of search and the errors."""
        return session_records.find_session(name, root, "" if root else self.cwd, self.settings)

    def tmux(self, project: Project, socket: str = "") -> Tmux:
        """The project's tmux server; the socket recorded in a session's metadata wins."""
        path = socket or project.socket
        if path not in self._servers:
            self._servers[path] = Tmux(path, self.settings)
        return self._servers[path]

    def server(self, ref: SessionRef) -> Tmux:
        """The tmux server a session lives on: the one its metadata names, else the project's."""
        try:
            meta = session_records.read_meta(ref)
        except UnreadableRecord:
            meta = None
        return self.tmux(ref.project, meta.socket_path if meta else "")

    # -- what a reader has seen ---------------------------------------------------------------------------------

    def defer_cursors(self) -> None:
        """From now on cursors move when `told` says so: the answer may yet be lost on its way."""
        self._pending_cursors = []

    def commit_immediately(self) -> None:
        """Cursors move as they are written: one's own next step goes on from them."""
        self.commit_cursors()
        self._pending_cursors = None

    def commit_after_output(self, cursor: StagedFile) -> None:
        """Move a cursor once the answer has reached its reader. Raises LisaError(store_unwritable)."""
        if self._pending_cursors is None:
            cursor.commit()
        else:
            self._pending_cursors.append(cursor)

    def commit_cursors(self) -> None:
        """The answer has reached its reader."""
        while self._pending_cursors:
            try:
                self._pending_cursors.pop(0).commit()
            except LisaError as problem:
                self.warn_about(problem)

    def rollback_cursors(self) -> None:
        """The answer has not: cursors stay where they are, and the reader is given the same again."""
        while self._pending_cursors:
            self._pending_cursors.pop().discard()

    def warn_about(self, problem: LisaError) -> None:
        self.warn(f"observability warning: {problem.message}")
