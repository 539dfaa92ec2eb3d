"""Assess the risk of shell commands before they run.

Tests: tests/core/guard, tests/commands/session/test_guard.py.
"""
