"""Manage secrets that definitions and profiles refer to by name.

Tests: tests/commands/secret.
"""
