"""agents commands."""
