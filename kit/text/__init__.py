"""Turns texts into numbers: n-grams, tokens, segments, word vectors, statistics."""

from kit.text.grams import Grams
from kit.text.tfidf import Tfidf, Vectorizer

__all__ = ["Grams", "Tfidf", "Vectorizer"]
