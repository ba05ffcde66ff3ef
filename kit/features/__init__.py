"""Features: columns made of the rows' columns, declared in a member's `features`."""
