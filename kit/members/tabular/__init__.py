"""Networks of numeric and categorical columns."""
