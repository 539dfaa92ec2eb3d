"""Offer the sessions to agents as tools, over the Model Context Protocol.

Tests: tests/commands/mcp.
"""
