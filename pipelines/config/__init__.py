"""The configuration as typed values, from TOML files and the environment."""
