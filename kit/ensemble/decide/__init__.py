"""Decisions from predictions: thresholds and grades."""
