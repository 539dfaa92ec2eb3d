"""Assess the risk of shell commands before they run."""
