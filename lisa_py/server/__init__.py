"""HTTP and WebSocket face: translate between the sessions API and core; hold no state and decide nothing.

Tests: tests/server.
"""
