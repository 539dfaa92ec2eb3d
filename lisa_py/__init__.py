"""lisa: orchestrate claude and codex sessions in tmux, and know what each of them is really doing."""

__version__ = "0.1.0"
