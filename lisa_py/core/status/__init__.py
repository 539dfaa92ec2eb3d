"""Determine the state of a session: collect evidence, decide, report."""
