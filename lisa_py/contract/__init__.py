"""Promises: the words that leave the process or lie on disk; no input, no output."""
