"""Look at and end sessions of the project (start-session, spawn).

Tests: tests/commands/ai/session, tests/limacharlie.
"""
