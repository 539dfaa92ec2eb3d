"""Summarise a session for another agent: handoff, packet, checkpoints.

Tests: tests/core/handoff; handoff, packet, context_pack and checkpoint in tests/commands/session.
"""
