"""Module: makes a member of your own torch network."""
