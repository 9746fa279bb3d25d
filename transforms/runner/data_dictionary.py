"""The data dictionary: what every header says of its columns, as a table."""

import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner.graph import Graph
from transforms.runner.lineage import origins
from transforms.runner.model import Column, Model
from transforms.runner.statements import statement

TABLE = "ops.data_dictionary"
SENTENCE = "One row per column of an analyst table, from the headers of the models."
COLUMNS = (
    Column("table_schema", None, "main, or ops", None),
    Column("table_name", None, "of the table", None),
    Column("position", None, "of the column in the table, from 1", None),
    Column("column_name", None, "of the column", None),
    Column("data_type", None, "as DuckDB names it", None),
    Column("unit", None, "of its numbers", "it has none"),
    Column("meaning", None, "what it says", None),
    Column("null_meaning", None, "what NULL says there", "it is never NULL"),
    Column(
        "origins",
        None,
        "for each vendor that can fill it, from which of its fields",
        "it is not part of a vendor's record",
    ),
)
_ORIGINS = pa.map_(pa.string(), pa.string())
_FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("table_schema", "table_name", "column_name"), pa.string()),
    **dict.fromkeys(("unit", "meaning", "null_meaning"), pa.string()),
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
            "meaning": column.meaning,
            "null_meaning": column.null,
            "origins": found.get(column.name) or None,
        }
        for column in model.columns
    ]
