"""Detect secrets in text and mask them.

Tests: tests/core/redact, tests/commands/session/test_redaction.py.
"""
