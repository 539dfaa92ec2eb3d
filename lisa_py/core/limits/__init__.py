"""Enforce the limits of a session in its own process beside the pane.

Tests: tests/core/limits, tests/commands/session/test_spawn_limits.py, tests/agents_live/test_limits.py.
"""
