"""Telling another agent: capture, summary, redaction, deltas, handoff, packet."""
