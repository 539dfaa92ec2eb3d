"""Deliver prompts, keys and dialog answers to a session.

Tests: tests/core/send, tests/commands/session/test_send.py, tests/agents_live/test_send.py.
"""
