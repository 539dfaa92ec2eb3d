"""Plan work: budgets, costs, routing and dispatch."""
