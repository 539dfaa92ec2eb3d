"""Follow the conversation of a session as typed, numbered frames.

Tests: tests/core/live, tests/commands/session/test_attach.py, tests/commands/session/test_history.py,
tests/agents_live/test_live.py.
"""
