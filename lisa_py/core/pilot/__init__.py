"""Several steps in one: turn, loop, autopilot, smoke."""
