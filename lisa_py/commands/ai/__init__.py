"""Use the command tree of the LimaCharlie client.

Tests: tests/commands/ai, tests/limacharlie.
"""
