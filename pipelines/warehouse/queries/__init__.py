"""Queries over raw files (``raw``) and over the published file (``published``)."""
