"""Typed words that leave the process or are stored on disk; no input or output.

Tests: tests/contract.
"""
