"""oauth commands."""
