"""Which DuckDB can read the files that are written here."""

STORAGE = {"storage_compatibility_version": "v0.10.2"}
"""Settings with which a new file has the storage that DuckDB 0.10.2 to 2.0 read.

It is what DuckDB 1.5 writes by itself; 2.0 would write one that 1.5 refuses. A file
that is there already keeps its own.
"""
