"""Blends that average members, with equal or learnt weights."""
