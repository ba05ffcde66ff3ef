"""Turns columns into numbers and features."""
