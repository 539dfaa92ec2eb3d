"""Store of records that lisa keeps between calls; one file per kind.

Tests: tests/store.
"""
