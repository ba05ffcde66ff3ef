"""Calibration: probabilities that agree with observed frequencies."""
