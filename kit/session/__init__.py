"""Notebook interface: opens a recipe on its rows, or cross-validates members on a frame without a recipe."""

from kit.session.opening import open_recipe
from kit.session.recipe import Recipe
from kit.session.session import Session
from kit.session.validation import CrossValidation, cross_validate

__all__ = ["CrossValidation", "Recipe", "Session", "cross_validate", "open_recipe"]
