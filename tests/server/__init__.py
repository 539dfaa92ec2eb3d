"""Tests of the HTTP and WebSocket face."""
