"""The machine: the only package that starts processes, opens files, reads clock, environment, tmux and /proc.

Tests: tests/host.
"""
