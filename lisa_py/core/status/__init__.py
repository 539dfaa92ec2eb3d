"""Determine the state of a session: collect evidence, decide, report.

Tests: tests/core/status, tests/commands/session/test_status.py, tests/agents_live/test_status.py.
"""
