"""Agent command lines."""
