"""Measurements: interleaved, medians, ratios; no assertion on absolute times."""
