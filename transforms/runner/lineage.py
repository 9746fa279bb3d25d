"""Where a column comes from: through the SQL of its model to what each vendor says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from transforms.runner.graph import Graph
from transforms.runner.model import Model
from transforms.runner.parsing import query

_Source: TypeAlias = tuple[str, str]
"""Union and column."""
_Sources: TypeAlias = dict[str, set[_Source]]
_Seen: TypeAlias = dict[int, _Sources]
_BETWEEN = ("staging", "intermediate")
"""Schemas of what only passes on what vendors say."""
KEYS = frozenset({"vendor", "account", "vendor_call_id"})
"""They join the parts of a call, so nearly every column comes from them, too."""


def origins(graph: Graph, model: Model) -> dict[str, dict[str, str]]:
    """Return, by column, what each vendor's staging header says of where it is from.

    A vendor that gives nothing of what a column is made of is left out.
    """
    if model.kind != "call_key":
        return {}
    return {
        name: _told(graph, sorted(found), name)
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
    """Return, by column, what of the unions it is computed from."""
    names = {one.name for one in model.references}
    known = {
        one.table: ("vendor", *one.selected)
        for one in graph.models
        if one.table in names and one.kind == "union"
    }
    below = {
        one.table: _sources(graph, one)
        for one in graph.models
        if one.table in names and _is_between(one)
    }
    known |= {name: tuple(columns) for name, columns in below.items() if columns}
    if not known:
        return {}
    schemas: dict[str, dict[str, object]] = {}
    for table, columns in known.items():
        schema, _, name = table.partition(".")
        schemas.setdefault(schema, {})[name] = dict.fromkeys(columns, "text")
    tree = qualify(
        query(model.sql).copy(),
        schema={**schemas},
        dialect="duckdb",
        validate_qualify_columns=False,
    )
    scope = build_scope(tree)
    return _traced(scope, below, {}) if scope else {}


def _is_between(model: Model) -> bool:
    """Return True if a model of all vendors only passes on what they say."""
    names = {one.name for one in model.references}
    is_read = model.kind == "transient" and model.schema in _BETWEEN
    return is_read and "config.rate_cards" not in names


def _traced(scope: Scope, below: Mapping[str, _Sources], seen: _Seen) -> _Sources:
    """Return, by column of a SELECT, the columns of tables that it is computed from."""
    if id(scope) in seen:
        return seen[id(scope)]
    found: _Sources = {}
    if parts := scope.set_operation_scopes:
        columns = [list(_traced(part, below, seen).items()) for part in parts]
        for same in zip(*columns, strict=True):
            found[same[0][0]] = set().union(*(sources for _, sources in same))
    elif isinstance(scope.expression, exp.Query):
        for projection in scope.expression.selects:
            found[projection.alias_or_name] = set().union(
                *(
                    _read(column, scope, below, seen)
                    for column in projection.find_all(exp.Column)
                )
            )
    seen[id(scope)] = found
    return found


def _read(
    column: exp.Column, scope: Scope, below: Mapping[str, _Sources], seen: _Seen
) -> set[_Source]:
    """Return where one column that a SELECT reads comes from."""
    place = scope.sources.get(column.table)
    if isinstance(place, Scope):
        return _traced(place, below, seen).get(column.name, set())
    if not isinstance(place, exp.Table) or place.db not in _BETWEEN:
        return set()
    table = f"{place.db}.{place.name}"
    return below.get(table, {}).get(column.name, {(table, column.name)})


def _told(graph: Graph, sources: Sequence[_Source], column: str) -> dict[str, str]:
    wanted = [one for one in sources if one[1] not in KEYS]
    # What has the column's own name is what it is; the rest only decides about it.
    wanted = [one for one in wanted if one[1] == column] or wanted or list(sources)
    found: dict[str, dict[str, None]] = {}
    for union, source in wanted:
        for member in graph.unions.get(union, ()):
            for said in member.columns:
                if said.name == source:
                    found.setdefault(member.vendor, {})[said.comment] = None
    return {vendor: "; ".join(texts) for vendor, texts in sorted(found.items())}
