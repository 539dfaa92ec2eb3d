"""Manage the credentials of chats.

Tests: tests/commands/ai/auth, tests/limacharlie.
"""
