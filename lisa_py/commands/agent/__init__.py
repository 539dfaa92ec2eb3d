"""Build the command lines of agents."""
