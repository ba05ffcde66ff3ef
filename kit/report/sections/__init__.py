"""The sections of the report, one in each file."""
