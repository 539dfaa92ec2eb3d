"""Rules for the whole tree: imports, language, commands."""
