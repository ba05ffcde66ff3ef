"""Comparisons of members and settings, with intervals and tests."""
