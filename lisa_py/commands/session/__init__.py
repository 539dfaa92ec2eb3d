"""Start, monitor, prompt, read and end sessions."""
