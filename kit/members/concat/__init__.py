"""Concat: several networks with one head."""
