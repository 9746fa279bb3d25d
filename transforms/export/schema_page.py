"""The schema page: every table and column, from the headers, and what is made of what.

``make docs`` writes it beside the models; a test compares the two.
"""

from collections.abc import Mapping
from contextlib import closing
from html import escape
from pathlib import Path

from transforms.export.flowchart import flowchart
from transforms.runner.graph import Graph
from transforms.runner.lineage import origins
from transforms.runner.model import Column, Model
from transforms.runner.storage import connect

ROOMS = {
    "facts": "Facts, legs, costs and bridges: one row per call, or per part of one",
    "dims": "Dimensions: who and what the facts point to",
    "marts": "Marts: numerators and denominators by day, ready to be added up",
    "ops": "Operations: what was loaded, and whether it is all there",
    "intermediate": "Intermediate: what the tables above are made of",
}

INTRODUCTION = """# Schema

Written by `make docs` from the headers of the models. The same stands as comments on
the tables, and in `ops.data_dictionary`:
`select * from ops.data_dictionary where column_name = 'cost_total'`.

What is in the schema `main` is found without naming it: `from fact_calls`. NULL means
that the vendor did not say; what it says in a column stands there. Money has its
currency beside it, a time is UTC, a duration is in seconds. Where a column comes from
stands in the vendor's own words for its fields; one that is not named cannot fill it.
Personal data is marked with whose it is: *customer* names a customer, or is how to
reach one; *staff* names somebody of the business; *anyone* is a text that may name
either; *about_customer* says something of a customer, without a name.

## What is made of what

An arrow leads from a table to one that reads it; each schema is a box.
"""


def page(graph: Graph, types: Mapping[tuple[str, str], str]) -> str:
    """Return the page in Markdown; ``types`` has the type of each table's columns."""
    parts = [INTRODUCTION, f"\n```mermaid\n{flowchart(graph)}\n```\n"]
    for folder, title in ROOMS.items():
        models = [
            one
            for one in sorted(graph.models, key=lambda one: one.name)
            if one.file.startswith(f"{folder}/") and one.is_stored
        ]
        listed = ", ".join(f"[{_name(one)}](#{_anchor(one)})" for one in models)
        parts.append(f"\n## {title}\n\n{listed}\n")
        parts += [_section(graph, one, types) for one in models]
    return "".join(parts)


def types(built: Path) -> dict[tuple[str, str], str]:
    """Return the type of each column of a built file, by table and column."""
    with closing(connect(built, read_only=True)) as connection:
        rows = connection.execute(
            "select schema_name || '.' || table_name, column_name, data_type"
            " from duckdb_columns() where not internal"
        ).fetchall()
    return {(table, column): kind for table, column, kind in rows}


def _section(graph: Graph, model: Model, types: Mapping[tuple[str, str], str]) -> str:
    found = origins(graph, model)
    head = ["column", "type", "unit", "meaning", "NULL", "from"]
    if not any(found.values()):
        head.pop()
    rows = [
        _row(column, types[model.table, column.name], found)[: len(head)]
        for column in model.columns
    ]
    keys = ", ".join(f"`{key}`" for key in model.key)
    table = [head, ["---"] * len(head), *rows]
    listed = "\n".join(f"| {' | '.join(row)} |" for row in table)
    parts = [f"### {_name(model)}", model.sentence, f"Key: {keys}", listed]
    if former := ", ".join(f"`{name}`" for name in model.former_names):
        parts.insert(3, f"Former name, a view for one release: {former}")
    return "\n" + "\n\n".join(parts) + "\n"


def _name(model: Model) -> str:
    return model.table.removeprefix("main.")


def _anchor(model: Model) -> str:
    """Return what a heading is linked by."""
    return _name(model).replace(".", "")


def _row(
    column: Column, kind: str, found: Mapping[str, Mapping[str, str]]
) -> list[str]:
    origins_of = found.get(column.name, {})
    texts = [
        f"`{column.name}`",
        kind,
        column.unit or "",
        f"*{column.personal}*: {column.meaning}" if column.personal else column.meaning,
        column.null or "never",
        "<br>".join(f"{vendor}: {escape(text)}" for vendor, text in origins_of.items()),
    ]
    return [text.replace("|", r"\|") for text in texts]
