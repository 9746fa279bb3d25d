"""One module per vendor: how its API is read, and nothing else."""
