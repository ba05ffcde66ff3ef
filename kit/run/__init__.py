"""A run: a recipe opened on its rows, its jobs and its bank."""
