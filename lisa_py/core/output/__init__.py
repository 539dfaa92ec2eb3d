"""Read the output of a session: capture, cursors, markers, budgets.

Tests: tests/core/output; capture and snapshot in tests/commands/session.
"""
