"""Manage the credentials of agents.

Tests: tests/commands/auth.
"""
