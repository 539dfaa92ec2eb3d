"""Install the skill and compare installed copies with it.

Tests: tests/core/skill, tests/commands/skills, tests/commands/session/test_contract_check.py, tests/test_skill.py.
"""
