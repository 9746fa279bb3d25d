"""The pipeline behind the callhouse command."""
