"""The parts of the codex agent; `agents/codex.py` combines them."""

BYPASS = "--dangerously-bypass-approvals-and-sandbox"
FULL_AUTO = "--full-auto"
