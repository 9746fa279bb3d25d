"""How long a test waits for what must happen, on a machine that is very busy."""

PATIENCE = 600
"""Seconds. Only what never happens takes them, so that more of them cost nothing."""
