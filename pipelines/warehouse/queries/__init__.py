"""The queries that the loader asks of a raw file."""
