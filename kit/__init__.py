"""kit: folds, members, out-of-fold predictions, blends and submissions for machine-learning competitions."""

__version__ = "0.1.0"
