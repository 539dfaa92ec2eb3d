"""Count what sessions use: tokens, model calls, turns, dollars; keep an hourly log.

Tests: tests/core/usage, tests/commands/test_usage.py.
"""
