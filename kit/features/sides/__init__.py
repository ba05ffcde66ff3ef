"""Features of side tables: what the rows that belong to a row say together."""
