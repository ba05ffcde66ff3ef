"""Perceptron: a network of numeric and categorical columns."""
