"""What every command is handed: settings, clocks, the current folder, and the channels to whoever called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import Clock
from lisa_py.host.env import Settings
from lisa_py.host.files import Staged
from lisa_py.host.tmux import Tmux
from lisa_py.store import places, session
from lisa_py.store.places import Place, Project
from lisa_py.store.records import Unreadable


def _ignore(_: Any) -> None:
    return None


class Live:
    """Where a command at work shows itself to a person; this one shows nothing."""

    columns = 0
    """Width of the terminal; 0 when nobody looks at one."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def board(self, rows: Sequence[str]) -> None:
        """Rows that take the place of those shown before, below all lines; only on a terminal."""


class Context:
    """The only thing besides its arguments that a command sees; tests build their own."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        cwd: str = "",
        given: frozenset[str] = frozenset(),
        form: str = "text",
        emit: Callable[[Any], None] = _ignore,
        warn: Callable[[str], None] = _ignore,
        progress: Callable[[str], None] = _ignore,
        live: Live | None = None,
        stdin: Callable[[], bytes] = bytes,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self._cwd = cwd
        self.given = given
        """Names of the fields the user wrote on the command line."""
        self.form = form
        """text, json or json-min."""
        self.emit = emit
        """Streams one typed event before the answer."""
        self.warn = warn
        """One line for people, on stderr."""
        self.progress = progress
        """One live line on a terminal; nothing when piped."""
        self.live = live or Live()
        """Lines and a live board for people, on stdout; nothing unless text was asked for."""
        self.stdin = stdin
        self._servers: dict[str, Tmux] = {}
        self._untold: list[Staged] | None = None

    @property
    def cwd(self) -> str:
        """The current folder. Raises LisaError(invalid_project_root) when it was removed under us."""
        self._cwd = self._cwd or files.canonical("")
        return self._cwd

    def project(self, root: str = "") -> Project:
        """The project of --project-root, else of the current folder."""
        return places.project(root or self.cwd, self.settings)

    def existing_project(self, root: str = "") -> Project:
        """As project; raises LisaError(invalid_project_root) when it is not a folder."""
        found = self.project(root)
        if not files.is_dir(found.root):
            raise LisaError("invalid_project_root", f"invalid --project-root: {found.root} is not a folder")
        return found

    def place(self, name: str, root: str = "") -> Place:
        """Where a session's records lie; see store.session.find for the order of search and the errors."""
        return session.find(name, root, "" if root else self.cwd, self.settings)

    def tmux(self, project: Project, socket: str = "") -> Tmux:
        """The project's tmux server; the socket recorded in a session's metadata wins."""
        path = socket or project.socket
        if path not in self._servers:
            self._servers[path] = Tmux(path, self.settings)
        return self._servers[path]

    def server(self, place: Place) -> Tmux:
        """The tmux server a session lives on: the one its metadata names, else the project's."""
        try:
            meta = session.read_meta(place)
        except Unreadable:
            meta = None
        return self.tmux(place.project, meta.socket_path if meta else "")

    # -- what a reader has seen ---------------------------------------------------------------------------------

    def defer(self) -> None:
        """From now on cursors move when `told` says so: the answer may yet be lost on its way."""
        self._untold = []

    def at_once(self) -> None:
        """Cursors move as they are written: one's own next step goes on from them."""
        self.told()
        self._untold = None

    def once_told(self, cursor: Staged) -> None:
        """Move a cursor once the answer has reached its reader. Raises LisaError(store_unwritable)."""
        if self._untold is None:
            cursor.keep()
        else:
            self._untold.append(cursor)

    def told(self) -> None:
        """The answer has reached its reader."""
        while self._untold:
            try:
                self._untold.pop(0).keep()
            except LisaError as problem:
                self.warn_on(problem)

    def lost(self) -> None:
        """The answer has not: cursors stay where they are, and the reader is given the same again."""
        while self._untold:
            self._untold.pop().drop()

    def warn_on(self, problem: LisaError) -> None:
        self.warn(f"observability warning: {problem.message}")
