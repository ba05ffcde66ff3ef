"""Tests of kit.images."""
