"""Answer requests on standard input: one JSON line each, answered by JSON lines on standard output.

Tests: tests/commands/test_peer.py.
"""
