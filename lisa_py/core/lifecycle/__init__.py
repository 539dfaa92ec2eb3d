"""Start and end sessions, and clean up after them.

Tests: tests/core/lifecycle; spawn, kill and kill_all in tests/commands/session, tests/commands/test_cleanup.py.
"""
