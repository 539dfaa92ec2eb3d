"""Deliver prompts, keys and dialog answers to a session."""
