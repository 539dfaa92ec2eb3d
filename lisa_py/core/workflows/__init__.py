"""Run several steps as one command: turn, loop, autopilot, smoke."""
