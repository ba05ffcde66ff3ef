"""Tests of Dogs vs. Cats."""
