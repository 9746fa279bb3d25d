"""Where a column comes from: through the SQL of its model to what each vendor says."""

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from transforms.graph import Graph
from transforms.model import Column, Model
from transforms.sql import query

KEYS = frozenset({"vendor", "account", "vendor_call_id"})
"""They join the parts of a call, so nearly every column comes from them, too."""


def origins(graph: Graph, model: Model) -> dict[str, dict[str, str]]:
    """Return, by column, what each vendor's staging header says of where it is from.

    A vendor that gives nothing of what a column is made of is left out.
    """
    unions = {
        one.name: graph.unions[one.name]
        for one in model.references
        if one.name in graph.unions
    }
    if not unions:
        return {}
    columns = {name: _united(members) for name, members in unions.items()}
    schema: dict[str, object] = {
        "staging": {
            name.removeprefix("staging."): dict.fromkeys(known, "text")
            for name, known in columns.items()
        }
    }
    tree = qualify(
        query(model.sql),
        schema=schema,
        dialect="duckdb",
        validate_qualify_columns=False,
    )
    scope = build_scope(tree)
    if scope is None:
        return {}
    return {
        name: _told(unions, sorted(_sources(name, tree, schema, scope)), name)
        for name in model.selected
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


def _united(members: Sequence[Model]) -> list[str]:
    names = (name for member in members for name in member.selected)
    return ["vendor", *dict.fromkeys(names)]


def _sources(
    name: str, tree: exp.Query, schema: dict[str, object], scope: Scope
) -> Iterator[tuple[str, str]]:
    """Yield the union and the column of all that a column is computed from."""
    node = lineage(name, tree, schema=schema, dialect="duckdb", scope=scope)
    for leaf in node.walk():
        table = leaf.expression
        if isinstance(table, exp.Table) and table.db == "staging":
            yield f"staging.{table.name}", leaf.name.rpartition(".")[2].strip('"')


def _told(
    unions: Mapping[str, Sequence[Model]],
    sources: Sequence[tuple[str, str]],
    column: str,
) -> dict[str, str]:
    wanted = [one for one in sources if one[1] not in KEYS]
    # What has the column's own name is what it is; the rest only decides about it.
    wanted = [one for one in wanted if one[1] == column] or wanted or list(sources)
    found: dict[str, dict[str, None]] = {}
    for union, source in wanted:
        for member in unions[union]:
            for said in member.columns:
                if said.name == source:
                    found.setdefault(member.vendor, {})[_text(said)] = None
    return {vendor: "; ".join(texts) for vendor, texts in sorted(found.items())}


def _text(column: Column) -> str:
    return column.comment
