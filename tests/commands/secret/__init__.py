"""secret commands."""
