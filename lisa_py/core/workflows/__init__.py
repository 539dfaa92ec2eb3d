"""Run several steps as one command: turn, loop, autopilot, smoke.

Tests: tests/core/workflows; turn, loop, autopilot, smoke and preflight in tests/commands/session,
tests/commands/test_demo.py.
"""
