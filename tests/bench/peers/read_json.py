"""The limit: DuckDB reads the same bytes as lines, into typed columns: ``LINES TYPES``.

``TYPES`` is a file that was written with ``LINES`` alone before: what DuckDB takes the
columns for is no part of what is measured.
"""

import json
import sys
from pathlib import Path

import duckdb

lines, types = sys.argv[1:]
with duckdb.connect("limit.duckdb") as file:
    if Path(types).exists():
        columns = json.loads(Path(types).read_text())
        file.read_json(lines, format="newline_delimited", columns=columns).create(
            "calls"
        )
    else:
        found = file.read_json(lines, format="newline_delimited", sample_size=-1)
        names = zip(found.columns, map(str, found.types), strict=True)
        Path(types).write_text(json.dumps(dict(names)))
