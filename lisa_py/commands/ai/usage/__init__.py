"""Look at the use of models per hour.

Tests: tests/commands/ai/usage, tests/limacharlie.
"""
