"""Definitions of sessions in files: read, check, find.

Tests: tests/core/definitions.
"""
