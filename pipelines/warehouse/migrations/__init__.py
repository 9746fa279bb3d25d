"""A SQL file per layout of a raw file, which migrates it from the layout before.

The columns of today are declared in ``pipelines/extract/raw_schema.py``.
"""
