"""Texts that wait for delivery to a session, and the process that delivers them.

Tests: tests/commands/session/outbox.
"""
