"""Memory: one file per kind of record that lisa keeps between calls."""
