"""The parts of the codex agent; `agents/codex.py` combines them.

Tests: tests/agents/test_codex*.py, tests/agents_live/test_codex_*.py.
"""

BYPASS = "--dangerously-bypass-approvals-and-sandbox"
FULL_AUTO = "--full-auto"
