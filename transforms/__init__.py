"""SQL models and the runner that builds them."""
