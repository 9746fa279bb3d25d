"""The data dictionary: what every header says of its columns, as a table."""

import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner.graph import Graph
from transforms.runner.lineage import origins
from transforms.runner.model import Model
from transforms.runner.statements import statement

_ORIGINS = pa.map_(pa.string(), pa.string())
_FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("table_schema", "table_name", "column_name"), pa.string()),
    **dict.fromkeys(("unit", "personal", "meaning", "null_meaning"), pa.string()),
    "origins": _ORIGINS,
}


def write_dictionary(connection: DuckDBPyConnection, graph: Graph) -> None:
    """Describe every stored column; ``connection`` has the tables already."""
    rows = [row for model in graph.models for row in _rows(graph, model)]
    table = pa.Table.from_pylist(rows, schema=pa.schema(_FIELDS))
    connection.register("described", table)
    connection.execute(statement("dictionary"))
    connection.unregister("described")


def _rows(graph: Graph, model: Model) -> list[dict[str, object]]:
    if not model.is_stored:
        return []
    found = origins(graph, model)
    return [
        {
            "table_schema": model.schema,
            "table_name": model.name,
            "column_name": column.name,
            "unit": column.unit,
            "personal": column.personal,
            "meaning": column.meaning,
            "null_meaning": column.null,
            "origins": found.get(column.name) or None,
        }
        for column in model.columns
    ]
