"""List, show and check definitions of sessions.

Tests: tests/commands/agents.
"""
