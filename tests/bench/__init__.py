"""Measurements: interleaved, medians, ratios; never asserted on time."""
