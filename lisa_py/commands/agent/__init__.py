"""Build the command lines of agents.

Tests: tests/commands/agent.
"""
