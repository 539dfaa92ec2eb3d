"""The pool of Claude OAuth tokens."""
