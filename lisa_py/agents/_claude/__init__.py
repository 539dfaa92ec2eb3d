"""The parts of the claude agent; `agents/claude.py` is the page that puts them together."""
