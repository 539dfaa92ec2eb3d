"""Decisions: what lisa does and concludes; returns typed values, prints nothing.

Tests: tests/core, tests/commands.
"""
