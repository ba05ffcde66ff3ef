"""Gradient-boosted trees of three libraries."""
