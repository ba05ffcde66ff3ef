"""Selection of columns inside the folds: a member that leaves columns out, and the ways to choose them."""
