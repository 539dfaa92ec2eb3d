"""Read the output of a session: capture, cursors, markers, budgets."""
