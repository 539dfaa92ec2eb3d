"""Manage profiles: settings that apply where a definition has none.

Tests: tests/commands/profiles.
"""
