"""Context of a command: settings, clocks, current folder, tmux servers and output channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lisa_py.contract.errors import CancellationError, LisaError, session_not_found
from lisa_py.host import files
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.clock import Clock
from lisa_py.host.env import Settings
from lisa_py.host.files import StagedFile
from lisa_py.store import paths
from lisa_py.store.paths import Project, SessionRef

if TYPE_CHECKING:  # loaded by the methods that need them: `version` needs none of them
    from lisa_py.contract.records import SessionMeta
    from lisa_py.host.pane import Pane
    from lisa_py.host.tmux import Tmux
    from lisa_py.terminal.table import Screen


def _do_nothing() -> None:
    """Ignore an event."""


def _ignore(_: Any) -> None:
    return None


def _make_root_error(root: str, source: str = "--project-root") -> LisaError:
    text = f"invalid {source}: {root} is not a folder; give an existing project folder"
    return LisaError("invalid_project_root", text)


def _has_project(project: Project) -> bool:
    return files.is_dir(project.root) or files.is_dir(project.folder)


class LiveDisplay:
    """Live output of a running command for a person; this base class shows nothing."""

    screen: Screen | None = None
    """The terminal; None without one."""
    error_colors = False
    """True if lines on the error stream may have colours."""

    def write_line(self, line: str, end: str = "\n") -> None:
        """Write a permanent line."""

    def write_error(self, line: str) -> None:
        """Write a line to the error stream."""

    def show_rows(self, rows: Sequence[str]) -> None:
        """Replace the rows shown below all lines; only on a terminal."""


class LineInput:
    """Lines typed at standard input while a command runs; this base class has none."""

    def read(self, on_line: Callable[[str], bool]) -> None:
        """Call `on_line` for each line until it returns False, the input ends or another thread stops it.

        Raise CancellationError at Ctrl-C.
        """

    def ask(self, prompt: str) -> None:
        """Ask for the next line with a prompt, of any thread; empty: the usual one."""

    def stop(self) -> None:
        """End `read`, of any thread."""


class Context:
    """Everything that a command uses besides its arguments; tests build their own."""

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
        screen: Screen | None = None,
        stdin: Callable[[], bytes] = bytes,
        ask: Callable[[str], str] = lambda question: "",
        open_input: Callable[[bool], LineInput] = lambda edited: LineInput(),
        on_own_end: Callable[[], None] = _do_nothing,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self._cwd = cwd
        self.given_fields = given_fields
        """Names of the fields the user wrote on the command line."""
        self.output_format = output_format
        """text, json or json-min."""
        self.emit = emit
        """Stream one typed event before the answer."""
        self.warn = warn
        """Write one line for people to stderr."""
        self.progress = progress
        """Show one live line on a terminal; nothing if piped."""
        self.live_display = live_display or LiveDisplay()
        """Lines and a live table for people on stdout, with text output only."""
        self.screen = screen
        """Terminal that the answer is printed on for a person; None if piped or JSON."""
        self.stdin = stdin
        self.ask = ask
        """Show a question to a person and return the next line of standard input; a terminal does not show it."""
        self.open_input = open_input
        """Open standard input for lines; with line editing if the argument is true and it is a terminal."""
        self.on_own_end = on_own_end
        """Called before core ends a session that this process belongs to; a process of one call ignores TERM then."""
        self.cancellation = cancellation or Cancellation()
        """Ends every wait once it is set."""
        self._servers: dict[str, Tmux] = {}
        self._pending_cursors: list[StagedFile] | None = None

    @property
    def cwd(self) -> str:
        """Return the current folder. Raise LisaError(invalid_project_root) if it was removed."""
        self._cwd = self._cwd or files.canonical_path("")
        return self._cwd

    def project(self, root: str = "") -> Project:
        """Return the project of --project-root, else of the current folder.

        Raise LisaError(invalid_project_root) if --project-root is neither a folder nor a project with records.
        """
        own = self.settings.project_root if not root and self.own_worktree() else ""
        found = paths.resolve_project(root or own or self.cwd, self.settings)
        if root and not _has_project(found):
            raise _make_root_error(found.root)
        return found

    def enter(self, folder: str) -> None:
        """Make a folder the current one; a relative path is that of the process.

        Raise LisaError(invalid_project_root) if it is neither a folder nor a project with records.
        """
        if "\0" in folder:  # no path has one
            raise _make_root_error(folder.replace("\0", "\\0"), "cwd")
        found = paths.resolve_project(folder, self.settings)
        if not _has_project(found):
            raise _make_root_error(found.root, "cwd")
        self._cwd = found.root

    def own_worktree(self) -> str:
        """Return the worktree of the session that this process belongs to, if the current folder is in it."""
        worktree = self.settings.worktree
        return worktree if worktree and f"{self.cwd}/".startswith(f"{worktree}/") else ""

    def existing_project(self, root: str = "") -> Project:
        """Return the project; raise LisaError(invalid_project_root) if it is not a folder."""
        found = self.project(root)
        if not files.is_dir(found.root):
            raise _make_root_error(found.root)
        return found

    def ref(self, name: str, root: str = "") -> SessionRef:
        """Return the reference of a session by name or id; see session_records.find_session for order and errors.

        Raise LisaError(session_not_found) for an id without a session.
        """
        if paths.SESSION_ID.match(name):
            return self._find_live(name, root)
        if root:
            paths.check_name(name)
            return SessionRef(self.project(root), name)
        from lisa_py.store import session_records  # noqa: PLC0415

        return session_records.find_session(name, "", self.cwd, self.settings)

    def record_ref(self, name: str, root: str = "") -> SessionRef:
        """Return the session of a name or id as `ref` does, else its archive: of a name the newest.

        Raise LisaError(session_not_found) for an id without both.
        """
        if paths.SESSION_ID.match(name):
            return self._find_id(name, root)
        return self.or_archive(self.ref(name, root), root)

    def or_archive(self, ref: SessionRef, root: str = "") -> SessionRef:
        """Return a session that exists as it is, else the newest archive of its name, without a root of any project."""
        if files.exists(ref.meta):
            return ref
        from lisa_py.store import archives  # noqa: PLC0415

        archive = archives.find_newest(self.settings, ref.session, ref.project)
        if archive is None and not root:
            archive = archives.find_newest(self.settings, ref.session)
        return archive or ref

    def _find_live(self, identity: str, root: str) -> SessionRef:
        found = self._find_id(identity, root)
        if found.archive:
            raise LisaError(
                "session_not_found",
                f"{found.session} ({found.archive}) was killed; session history, get, fork and forget take its archive",
                session=found.session,
                projectRoot=found.project.root,
            )
        return found

    def _find_id(self, identity: str, root: str) -> SessionRef:
        """Return the session or archive of an id. Raise LisaError(session_not_found)."""
        from lisa_py.store import archives, live_records  # noqa: PLC0415

        project = self.project(root) if root else None
        found = live_records.find_by_id(identity, self.settings, [project.hash] if project else None)
        found = found or archives.find_archive(self.settings, identity, project.root if project else "")
        if found is None:
            raise session_not_found(identity, project.root if project else "")
        return found

    def tmux(self, project: Project, socket: str = "") -> Tmux:
        """Return the project's tmux server, or that of the given socket."""
        path = socket or project.socket
        if path not in self._servers:
            from lisa_py.host.tmux import Tmux  # noqa: PLC0415

            self._servers[path] = Tmux(path, self.settings)
        return self._servers[path]

    def server(self, ref: SessionRef) -> Tmux:
        """Return a session's tmux server: that of its metadata, else the project's."""
        meta = self.read_meta(ref)
        return self.tmux(ref.project, meta.socket_path if meta else "")

    def pause(self, seconds: float) -> None:
        """Sleep in a wait. Raise CancellationError as soon as the caller cancels."""
        with self.cancellation.observe():
            if self.cancellation.wait(seconds):
                raise CancellationError

    def find_pane(self, ref: SessionRef) -> Pane | None:
        """Return the session's own pane, or None if tmux has none. Raise TmuxUnavailable if that is unknown."""
        from lisa_py.core import session_panes  # noqa: PLC0415

        meta = self.read_meta(ref)
        return session_panes.find_pane(self.tmux(ref.project, meta.socket_path if meta else ""), ref, meta)

    def find_reachable_pane(self, ref: SessionRef) -> Pane | None:
        """Return the session's own pane, also None if its living server cannot be reached. Raise TmuxUnavailable."""
        from lisa_py.core import session_panes  # noqa: PLC0415

        meta = self.read_meta(ref)
        return session_panes.find_reachable_pane(self.tmux(ref.project, meta.socket_path if meta else ""), ref, meta)

    def list_panes(self, project: Project, socket: str = "") -> list[Pane]:
        """Return all panes of a server of the project; empty if there is no server. Raise TmuxUnavailable."""
        from lisa_py.core import session_panes  # noqa: PLC0415

        server = self.tmux(project, socket)
        return session_panes.list_reachable(server, server.list_panes, lambda: session_panes.read_metas(project))

    def read_meta(self, ref: SessionRef) -> SessionMeta | None:
        """Return the metadata of the session, or None if it is missing or unreadable."""
        from lisa_py.store import session_records  # noqa: PLC0415
        from lisa_py.store.json_records import UnreadableRecord  # noqa: PLC0415

        try:
            return session_records.read_meta(ref)
        except UnreadableRecord:
            return None

    # -- cursors ---------------------------------------------------------------------------------

    def defer_cursors(self) -> None:
        """Delay cursor changes until `commit_cursors`: the output may still be lost."""
        self._pending_cursors = []

    def commit_immediately(self) -> None:
        """Commit pending and later cursors at once: the next step of the command continues from them."""
        self.commit_cursors()
        self._pending_cursors = None

    def commit_after_output(self, cursor: StagedFile) -> None:
        """Commit a cursor after the output is written. Raise LisaError(store_unwritable)."""
        if self._pending_cursors is None:
            cursor.commit()
        else:
            self._pending_cursors.append(cursor)

    def commit_cursors(self) -> None:
        """Commit the pending cursors: the output is written."""
        while self._pending_cursors:
            try:
                self._pending_cursors.pop(0).commit()
            except LisaError as problem:
                self.warn_about(problem)

    def rollback_cursors(self) -> None:
        """Discard the pending cursors: the output was lost, and the next call repeats it."""
        while self._pending_cursors:
            self._pending_cursors.pop().discard()

    def warn_about(self, problem: LisaError) -> None:
        self.warn(f"observability warning: {problem.message}")
