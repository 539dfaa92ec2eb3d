"""Manage the pool of Claude OAuth tokens."""
