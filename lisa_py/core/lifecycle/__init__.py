"""Start and end sessions, and clean up after them."""
