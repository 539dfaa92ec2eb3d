"""Diagnose sessions and suggest next steps.

Tests: tests/core/advice; explain, anomaly, next and prompt_lint in tests/commands/session.
"""
