"""Plan work: budgets, costs, routing and dispatch.

Tests: tests/core/planning; budget_plan, budget_observe, budget_enforce and route in tests/commands/session.
"""
