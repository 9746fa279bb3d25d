"""The simulated TWIN: its API, its history, how a record looks at a moment."""
