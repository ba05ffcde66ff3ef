"""Stacking: a second-level model of the members' predictions."""
