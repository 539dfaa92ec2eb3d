"""Wait for a change in one or many sessions."""
