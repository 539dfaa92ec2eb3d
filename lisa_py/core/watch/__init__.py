"""What is it doing: evidence, the verdict on it, and waiting for the next one."""
