"""Tests of `kit.tables`."""
