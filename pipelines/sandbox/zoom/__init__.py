"""The simulated Zoom: its API, its history, how a record looks at a moment."""
