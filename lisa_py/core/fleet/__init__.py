"""List, group and claim sessions of a project.

Tests: tests/core/fleet; list, tree and route in tests/commands/session.
"""
