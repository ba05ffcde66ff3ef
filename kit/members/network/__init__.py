"""The base of all members that the training loop trains."""
