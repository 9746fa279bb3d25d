"""What lies in a warehouse folder: raw files, locks, journal, published tables."""
