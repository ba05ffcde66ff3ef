"""Dogs vs. Cats Redux (Kaggle, 2016)."""
