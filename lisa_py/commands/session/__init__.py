"""Start, monitor, prompt, read and end sessions.

Tests: tests/commands/session.
"""
