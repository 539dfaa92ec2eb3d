"""Diagnose sessions and suggest next steps."""
