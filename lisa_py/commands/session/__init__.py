"""Spawn, watch, tell, read and end sessions."""
