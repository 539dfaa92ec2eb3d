"""Manage the credential of claude: a stored key or a token of a login.

Tests: tests/commands/auth/claude.
"""
