"""Install the skill for agents, compare installed copies, and copy edits back.

Tests: tests/commands/skills.
"""
