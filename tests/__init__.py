"""Tests; the folders mirror lisa_py."""
