"""List, group and claim sessions of a project."""
