"""The skill: what agents are told about lisa, where it lies, and whether it tells the truth."""
