"""The parts of the claude agent; `agents/claude.py` combines them.

Tests: tests/agents/test_claude*.py, tests/agents_live/test_claude_*.py.
"""
