"""profiles commands."""
