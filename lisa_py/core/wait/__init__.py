"""Wait for a change in one or many sessions.

Tests: tests/core/wait; monitor and wait in tests/commands/session.
"""
