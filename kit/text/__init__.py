"""Text as numbers."""

from kit.text.grams import Grams
from kit.text.tfidf import Tfidf, Vectorizer

__all__ = ["Grams", "Tfidf", "Vectorizer"]
