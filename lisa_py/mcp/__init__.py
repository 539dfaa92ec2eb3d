"""`lisa mcp`: tools for agents over the Model Context Protocol, on standard input and output.

Tests: tests/mcp, tests/commands/mcp, tests/agents_live/test_mcp.py.
"""
