"""Estimators of scikit-learn as members."""
