"""Where a column comes from: through the SQL of its model to what each vendor says."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TypeAlias

from sqlglot import exp
from sqlglot.lineage import Node, lineage

from transforms.runner.graph import Graph
from transforms.runner.model import Model
from transforms.runner.parsing import query

_Source: TypeAlias = tuple[str, str]
"""Union and column."""
_Sources: TypeAlias = dict[str, set[_Source]]
KEYS = frozenset({"vendor", "account", "vendor_call_id"})
"""They join the parts of a call, so nearly every column comes from them, too."""


def origins(graph: Graph, model: Model) -> dict[str, dict[str, str]]:
    """Return, by column, what each vendor's staging header says of where it is from.

    A vendor that gives nothing of what a column is made of is left out.
    """
    if model.kind != "call_key":
        return {}
    return {
        name: _described(graph, sorted(found), name)
        for name, found in _sources(graph, model).items()
    }


def edges(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield what a table reads, and the table; a union stands for its members."""
    unions = {
        member.table: name
        for name, members in graph.unions.items()
        for member in members
    }
    for model in graph.models:
        for one in model.references:
            yield unions.get(one.name, one.name), unions.get(model.table, model.table)


def _sources(graph: Graph, model: Model) -> _Sources:
    """Return, by column, the columns of the unions that it is computed from."""
    names = {one.name for one in model.references}
    known: dict[str, _Sources] = {}
    for one in graph.models:
        if one.table in names and one.kind == "union":
            columns = ("vendor", *one.selected)
            known[one.table] = {name: {(one.table, name)} for name in columns}
        elif one.table in names and _passes_on(one):
            known[one.table] = _sources(graph, one)
    if not any(known.values()):
        return {}
    named = tuple((table, tuple(columns)) for table, columns in known.items())
    return {
        column: set().union(*(_read(node, known) for node in root.walk()))
        for column, root in _roots(model.sql, named).items()
    }


@cache
def _roots(sql: str, tables: Sequence[tuple[str, Sequence[str]]]) -> Mapping[str, Node]:
    """Return, by column, where sqlglot says that a SELECT over ``tables`` begins."""
    schema: dict[str, dict[str, object]] = {}
    for table, columns in tables:
        folder, _, name = table.partition(".")
        schema.setdefault(folder, {})[name] = dict.fromkeys(columns, "text")
    return lineage(None, query(sql), {**schema}, dialect="duckdb", trim_selects=False)


def _read(node: Node, known: Mapping[str, _Sources]) -> set[_Source]:
    """Return where one column that a SELECT reads from a table comes from."""
    if not isinstance(node.source, exp.Table):
        return set()
    columns = known.get(f"{node.source.db}.{node.source.name}", {})
    return columns.get(exp.to_column(node.name).name, set())


def _passes_on(model: Model) -> bool:
    """Return True if a model of all vendors only passes on what they say."""
    names = {one.name for one in model.references}
    is_read = model.kind == "transient" and model.schema in {"staging", "intermediate"}
    return is_read and "config.rate_cards" not in names


def _described(graph: Graph, sources: Sequence[_Source], column: str) -> dict[str, str]:
    wanted = [one for one in sources if one[1] not in KEYS]
    # What has the column's own name is what it is; the rest only decides about it.
    wanted = [one for one in wanted if one[1] == column] or wanted or list(sources)
    found: dict[str, dict[str, None]] = {}
    for union, source in wanted:
        for member in graph.unions.get(union, ()):
            for described in member.columns:
                if described.name == source:
                    found.setdefault(member.vendor, {})[described.comment] = None
    return {vendor: "; ".join(texts) for vendor, texts in sorted(found.items())}
