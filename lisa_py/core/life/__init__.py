"""Birth, input and death of sessions."""
