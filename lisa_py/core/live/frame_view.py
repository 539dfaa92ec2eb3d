"""Show the frames of an attach to a person or a program: the text of the limacharlie client."""

from __future__ import annotations

from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live.typed_lines import PendingDialog
from lisa_py.terminal import frame_lines


class FrameView:
    """Frames on standard output; errors, banners and notices on the error stream."""

    def __init__(self, ctx: Context, *, verbose: bool = False) -> None:
        self._display = ctx.live_display
        self._verbose = verbose
        screen = self._display.screen
        self.colors = screen is not None and screen.color

    def is_shown(self, frame: LiveFrame) -> bool:
        return self._verbose or not frame_lines.is_noise(frame)

    def show(self, frame: LiveFrame) -> None:
        """Write a frame; nothing for one that only counts, times or echoes others."""
        is_error = frame_lines.is_error(frame)
        colors = self._display.error_colors if is_error else self.colors
        lines = frame_lines.format_frame(frame, colors=colors, verbose=self._verbose)
        if lines:
            write = self._display.write_error if is_error else self._display.write_line
            write("\n".join(lines))

    def ask(self, dialog: PendingDialog) -> None:
        """Write the next question of a dialog."""
        self._display.write_line("\n".join(dialog.format_question(colors=self.colors)))

    def note(self, text: str) -> None:
        """Write a notice."""
        shown = frame_lines.paint(frame_lines.clean(text), frame_lines.DIM, colors=self._display.error_colors)
        self._display.write_error(shown)

    def warn(self, text: str) -> None:
        """Write a failure."""
        style = (frame_lines.RED, frame_lines.BOLD)
        self._display.write_error(frame_lines.paint(frame_lines.clean(text), *style, colors=self._display.error_colors))

    def begin(self, session: str, *, read_only: bool) -> None:
        mode = "read-only" if read_only else "interactive"
        self.note(f"Attached to session {session} ({mode} mode). Ctrl+C to detach.")

    def begin_history(self, count: int) -> None:
        self.note(f"--- History ({count} messages) ---")

    def begin_live(self) -> None:
        self.note("--- Live stream ---")
