"""The parts of the claude agent; `agents/claude.py` combines them."""
