"""Summarise a session for another agent: handoff, packet, checkpoints."""
