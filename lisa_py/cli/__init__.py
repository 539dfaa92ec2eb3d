"""Command line face: the only package that uses click and stdout.

Tests: tests/cli.
"""
