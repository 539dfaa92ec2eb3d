"""Manage the pool of Claude OAuth tokens.

Tests: tests/commands/oauth.
"""
