"""agent commands."""
