"""Facts that hold for any terminal program: choice lists, invisible characters, layout.

Tests: tests/terminal.
"""
