"""One SQL file per layout of a raw file: what makes it of the layout before."""
