"""Reading: one file of a competition, and the checks of what it holds."""
