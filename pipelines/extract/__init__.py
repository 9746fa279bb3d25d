"""HTTP, pages and windows: how a vendor is read, and what goes to dlt."""
