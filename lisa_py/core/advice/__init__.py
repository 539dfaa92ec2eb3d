"""What to do next, as pure functions of what is known."""
