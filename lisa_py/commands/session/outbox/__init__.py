"""Look at the texts that wait for delivery, and take them back.

Tests: tests/commands/session/outbox.
"""
