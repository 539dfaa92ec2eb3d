"""Manage the credential of the model provider for chats.

Tests: tests/commands/ai/auth/claude, tests/limacharlie.
"""
