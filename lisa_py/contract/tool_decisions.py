"""Decisions about tool calls by rule."""

from __future__ import annotations

from typing import Literal

ToolDecision = Literal["allow", "deny", "ask"]
"""ask: a person decides."""
