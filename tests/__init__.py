"""Tests, in the same tree as lisa_py."""
