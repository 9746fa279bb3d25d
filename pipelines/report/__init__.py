"""The report: one HTML page about the published file, complete in itself."""
