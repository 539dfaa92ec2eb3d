"""Detect secrets in text and mask them."""
