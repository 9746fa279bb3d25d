"""Windows, streams and what to ask for: arithmetic without input or output."""
