"""Programs that run inside a pane: supervisor, heartbeat and hook (POSIX sh), and the bundled scripted agent.

Tests: tests/pane.
"""
