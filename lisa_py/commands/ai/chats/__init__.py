"""Look at and end chats of this user (chat).

Tests: tests/commands/ai/chats, tests/limacharlie.
"""
