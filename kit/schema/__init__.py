"""Schema: one type for each column, decided once over all files: number, category, boolean, date or text."""
